"""What all rules have in common: convolutions, packed input, blocks, optimisers, saved states."""

import copy
import io

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.learning import online
from helpers.compare import same_bits
from helpers.online import EXACT, HIDDEN, difference, gradients, lively_task

CLASSES = torch.tensor([0, 2, 1])
RULES = {
    "RTRL": online.RTRL(),
    "SLTT": online.SLTT(),
    "OTTT": online.OTTT(),
    "OSTL": online.OSTL(),
    "EProp": online.EProp(kappa=0.5, feedback="random", c_reg=0.1),
    "SnAp-1": online.SnAp(),
    "SnAp-2": online.SnAp(n=2),
    "UORO": online.UORO(),
    "RFLO": online.RFLO(lam=0.5),
    "OTPE": online.OTPE(lam=0.5),
    "F-OTPE": online.OTPE(lam=0.5, approx=True),
    "S-TLLR": online.STLLR(),
    "DECOLLE": online.DECOLLE(outputs=3),
    "ETLP": online.ETLP(rate=1.0),
    "OSTTP": online.OSTTP(),
}


def convolution(dtype):
    """A network with a convolution, and an input that it fires at."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(2, 3, 3), snn.Leaky(0.8, **HIDDEN), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(12, 3), snn.LI(0.75, **HIDDEN)),
    ).to(dtype)
    with torch.no_grad():
        net[0].weight *= 3
    x, _ = lively_task(net, (2, 6, 6), dtype)
    return net, x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_learns_a_convolution(name, dtype):
    """Packed and dense, by steps and by blocks, to the same gradients."""
    rule = RULES[name]
    net, x = convolution(dtype)
    x = x[:5]

    def run(given, block):
        learner = online.Learner(net, rule)
        learner.reset()
        results = []
        for steps in given.split(block):
            if block == 1:
                result = learner(steps[0], CLASSES)
                results.append(result.detach())
            else:
                result = learner.block(steps, CLASSES)
                results += list(result.detach())
            if name == "DECOLLE":
                learner.loss.backward()
            elif result.requires_grad:
                (result * torch.arange(3)).sum().backward()
        found = gradients(net).items()
        return torch.stack(results), {key: x for key, x in found if x is not None}

    results, wanted = run(x, 1)
    assert all(grad.abs().max() > 0 for grad in wanted.values()) and "0.weight" in wanted
    packed = snn.SpikeTensor.from_dense(x).to(dtype)
    limit = EXACT if dtype == torch.float64 else 1e-4
    for given, block in ((packed, 1), (x, 5), (packed, 5)):
        again, found = run(given, block)
        assert torch.allclose(again, results, atol=1e-5)
        assert difference(found, wanted) < limit


def advance(learner, optimizer, step):
    """An update after one step."""
    optimizer.zero_grad()
    result = learner(step, CLASSES)
    if learner.losses:
        learner.loss.backward()
    elif result.requires_grad:
        (result * torch.arange(3)).sum().backward()
    optimizer.step()
    return result


@pytest.mark.parametrize("name", RULES)
def test_every_rule_goes_on_where_it_was_saved(name):
    """With an optimiser that updates at each step, to the bit; and not without what was saved."""
    net, x = convolution(torch.float32)
    learner = online.Learner(net, RULES[name])
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    for step in x[:5]:
        advance(learner, optimizer, step)
    file = io.BytesIO()
    parts = {"net": net, "optimizer": optimizer, "learner": learner}
    torch.save({key: part.state_dict() for key, part in parts.items()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    nets = [net]
    for known in (True, False):
        again = copy.deepcopy(net)
        snn.utils.reset(again)
        with torch.no_grad():
            again[0].weight.zero_()
        again.load_state_dict(saved["net"])
        other = online.Learner(again, RULES[name])
        twin = torch.optim.Adam(again.parameters(), lr=0.01)
        twin.load_state_dict(saved["optimizer"])
        if known:
            other.load_state_dict(saved["learner"])
        for step in x[5:9]:
            advance(other, twin, step)
        nets.append(again)
    for step in x[5:9]:
        advance(learner, optimizer, step)
    first, same, forgetful = (list(one.parameters()) for one in nets)
    assert all(map(same_bits, first, same))
    assert not all(map(same_bits, first, forgetful))
