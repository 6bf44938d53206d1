"""Two processes that train one network: all checks are functions of one program."""

import json

import pytest
from programs import unix

from helpers.program import torchrun

pytestmark = unix

PROGRAM = """
import json
import traceback

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import bitspike as snn
from bitspike import utils
from bitspike.learning import local, online

dist.init_process_group("gloo")
RANK = dist.get_rank()
torch.manual_seed(0)
BATCH = snn.spikegen.rate(torch.full((16, 64), 0.2), num_steps=12, packed=True)
SHARES = BATCH[:, :8], BATCH[:, 8:]


def network(multi_step=True):
    torch.manual_seed(1)
    decays = torch.linspace(0.7, 0.95, 30)
    neuron = {"init_hidden": True, "multi_step": multi_step}
    return nn.Sequential(
        nn.Linear(64, 30),
        snn.Leaky(beta=decays, learn_threshold=True, **neuron),
        nn.Linear(30, 5),
        snn.Leaky(beta=0.9, **neuron),
    )


def steps():
    return network(multi_step=False)


def whole(net, spikes):
    (net(spikes).mean(0) - 1).square().mean().backward()


def time_loop(net, spikes):
    (torch.stack([net(step) for step in spikes.dense()]).mean(0) - 1).square().mean().backward()


def truncated(net, spikes):
    for part in spikes.split(4):
        utils.detach(net)
        whole(net, part)


class Unrolled(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = steps()

    def forward(self, spikes):
        return snn.unroll(self.net, spikes)


def by_traces(net, spikes):
    learner = online.Learner(net, online.RTRL())
    for step in spikes.dense():
        (learner(step) - 1).square().mean().backward()


WAYS = {
    "whole": (network, whole),
    "fused": (lambda: snn.fuse(network()), whole),
    "time loop": (steps, time_loop),
    "truncated": (network, truncated),
    "unrolled": (Unrolled, whole),
    "by traces": (steps, by_traces),
    "fed back": (lambda: local.feedback(network(), "dfa", BATCH), whole),
}


def gradients(net, spikes, run):
    utils.reset(net)
    run(net, spikes)
    return [p.grad for p in net.parameters()]


def gradients_are_the_mean_of_those_of_all_processes():
    for name, (make, run) in WAYS.items():
        first, second = (gradients(make(), share, run) for share in SHARES)
        ours = gradients(DistributedDataParallel(make()), SHARES[RANK], run)
        assert any(not torch.equal(a, b) for a, b in zip(first, second)), name
        for own, a, b in zip(ours, first, second, strict=True):
            torch.testing.assert_close(own, (a + b) / 2, rtol=1e-5, atol=1e-6, msg=name)


def states_stay_in_their_process():
    net, twin = DistributedDataParallel(network()), network()
    for part in SHARES[RANK].split(4):
        assert torch.equal(net(part).words, twin(part).words)
    mem = twin[1].mem.detach()
    assert torch.equal(net.module[1].mem, mem) and mem.abs().sum() > 0
    both = [torch.empty_like(mem) for _ in range(2)]
    dist.all_gather(both, mem)
    assert not torch.equal(*both)


def collectives_read_packed_spikes():
    everyone, objects = [torch.empty(SHARES[0].shape) for _ in range(2)], [None, None]
    dist.all_gather(everyone, SHARES[RANK])
    dist.all_gather_object(objects, SHARES[RANK])
    for dense, packed, expected in zip(everyone, objects, SHARES, strict=True):
        assert torch.equal(dense, expected.dense()) and torch.equal(packed.words, expected.words)


WRITES = {
    "all_reduce": lambda x: dist.all_reduce(x),
    "reduce": lambda x: dist.reduce(x, 0),
    "broadcast": lambda x: dist.broadcast(x, 0),
    "recv": lambda x: dist.recv(x, 1 - RANK),
}


def collectives_that_would_write_packed_spikes_raise():
    before = SHARES[RANK].dense()
    for name, write in WRITES.items():
        try:
            write(SHARES[RANK])
        except RuntimeError as error:
            assert "cannot be written" in str(error), (name, error)
        else:
            raise AssertionError(name)
    assert torch.equal(SHARES[RANK].dense(), before)


def outcome(check):
    try:
        check()
    except Exception:
        return traceback.format_exc()
    return "holds"
"""
CHECKS = [
    "gradients_are_the_mean_of_those_of_all_processes",
    "states_stay_in_their_process",
    "collectives_read_packed_spikes",
    "collectives_that_would_write_packed_spikes_raise",
]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    run = f"outcomes = {{check.__name__: outcome(check) for check in [{', '.join(CHECKS)}]}}\n"
    write = "open(f'{RANK}.json', 'w').write(json.dumps(outcomes))\ndist.destroy_process_group()\n"
    folder = tmp_path_factory.mktemp("processes")
    torchrun(PROGRAM + run + write, folder=folder)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.parametrize("check", CHECKS)
def test_two_processes(check, outcomes):
    for of_process in outcomes:
        assert of_process[check] == "holds", of_process[check]
