"""Layers that take no part in an operation with others, and why."""

import pytest
import torch
from torch import nn

import bitspike as snn
from helpers.stacks import NETWORKS, apart, check, lif, lively, outcome, spikes

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("small_blocks")]


REASONS = {
    "output": (lambda: lif(output=True), "returns states"),
    "hidden": (lambda: snn.Leaky(0.9, reset_mechanism="none"), "returns states"),
    "graded": (lambda: lif(graded_spikes_factor=2.0), "graded"),
    "order": (lambda: lif(order="fire_first"), "one step late"),
    "recurrent": (
        lambda: snn.RLeaky(beta=0.9, linear_features=7, init_hidden=True),
        "not called as other neurons",
    ),
    "surrogate": (lambda: lif(spike_grad=lambda x: (x > 0).float()), "only torch can call"),
}


@pytest.mark.parametrize("name", REASONS)
def test_reasons_are_told(name):
    make, reason = REASONS[name]
    fused = snn.fuse(lively(nn.Sequential(nn.Linear(70, 7), make())))
    fused(spikes(5, 4, 70))
    assert reason in fused.apart["0"]


def test_a_hook_runs():
    net = lively(NETWORKS["three layers"]())
    seen = []
    net[2].register_forward_hook(lambda module, args, out: seen.append(out.shape))
    fused, x = snn.fuse(net), spikes(5, 4, 70)
    assert torch.equal(fused(x).words, outcome(lambda x: apart(net, x), net, x)[0].words)
    assert seen[0] == (20, 50) and "hooks" in fused.apart["2"]


def test_a_hook_of_all_modules_runs():
    net, x = lively(NETWORKS["three layers"]()).eval(), spikes(5, 40, 70)
    seen = []
    handle = nn.modules.module.register_module_forward_hook(lambda m, *_: seen.append(type(m)))
    try:
        with torch.no_grad():
            snn.unroll(net, x)
    finally:
        handle.remove()
    assert seen == [nn.Linear, snn.Leaky] * 3


def test_a_neuron_of_ones_own_is_called():
    class Counted(snn.Leaky):
        calls = 0

        def run_sequence(self, input_):
            Counted.calls += 1
            return super().run_sequence(input_)

    net = lively(nn.Sequential(nn.Linear(70, 64), Counted(0.9, init_hidden=True)))
    snn.fuse(net)(spikes(5, 40, 70))
    assert Counted.calls == 1


@pytest.mark.parametrize("dropout", [nn.Dropout(), snn.TimeDropout()], ids=str)
def test_dropouts_do_nothing_in_eval_mode(dropout, gathers):
    net = lively(nn.Sequential(nn.Linear(70, 64), lif(), dropout, nn.Linear(64, 9), lif()))
    check(net.eval(), spikes(5, 9, 70))
    fused = snn.fuse(net.train())
    fused(spikes(5, 9, 70))
    assert "2" in fused.apart


def test_inference_mode():
    net, x = lively(NETWORKS["three layers"]()).eval(), spikes(5, 40, 70)
    with torch.inference_mode():
        found = snn.unroll(net, x)
    for neuron in net[1::2]:
        neuron.reset_mem()
    assert torch.equal(found.words, snn.unroll(net, x).words)


def test_so_many_spikes_that_dense_products_are_faster():
    net = lively(NETWORKS["three layers"]())
    fused = snn.fuse(net)
    x = spikes(5, 40, 70, density=0.95)
    ours, theirs = outcome(fused, net, x), outcome(lambda x: apart(net, x), net, x)
    assert "dense products" in fused.apart["0"]
    assert torch.equal(ours[0].words, theirs[0].words)


def test_dense_input_runs_its_first_layer_by_itself(gathers):
    net = lively(NETWORKS["three layers"]())
    fused, x = snn.fuse(net), torch.rand(5, 4, 70)
    out = fused(x)
    assert torch.equal(out.words, outcome(lambda x: apart(net, x), net, x)[0].words)
    assert set(fused.apart) == {"0", "1"}
