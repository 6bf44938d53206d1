"""Between which numbers STDP keeps weights, and how near to them it slows down."""

import math

import pytest
import torch
from torch import nn

from bitspike import plasticity
from helpers.synapses import change, network, run, train

KINDS = ("hard", "soft", "power", "van_rossum", "morrison", "proportional", "none")


def expected(kind, w, mu=0.2):
    """What a weight rises by with one spike of each trace, and what it falls by."""
    return {
        "hard": (1, 1),
        "none": (1, 1),
        "soft": (1 - w, w),
        "power": ((1 - w) ** mu, w**mu),
        "van_rossum": (1, w),
        "morrison": (w**0.4 * 2**0.6, w),
        "proportional": (w, w),
    }[kind]


@pytest.mark.parametrize("window", ["causal", "anti", "symmetric"])
@pytest.mark.parametrize("kind", KINDS)
def test_how_much_of_the_way(kind, window):
    w, options = 0.3, dict(bound=kind, window=window, w_0=2.0)
    rises, falls = expected(kind, w)
    after = change(plasticity.STDP(10.0, 20.0, **options), train([0]), train([3]), w).item()
    before = change(plasticity.STDP(10.0, 20.0, **options), train([2]), train([0]), w).item()
    first = -falls if window == "anti" else rises
    second = -falls if window == "causal" else rises
    assert after == pytest.approx(first * math.exp(-0.3))
    assert before == pytest.approx(second * math.exp(-0.1))


@pytest.mark.parametrize("window", ["causal", "anti", "symmetric"])
@pytest.mark.parametrize("kind", ["hard", "soft", "power", "van_rossum", "morrison"])
@pytest.mark.parametrize("case", ["linear", "conv1d", "conv2d"])
def test_weights_stay_within_bounds(case, kind, window):
    net, x = network(case)
    high = 0.8 if kind in ("hard", "soft", "power") else math.inf
    rule = plasticity.STDP(bound=kind, window=window, w_max=high).attach(*net)
    for _ in range(2):
        run(net, x)
        rule.step(lr=0.03 if case == "linear" else 0.003)
        assert net[0].weight.isfinite().all()
        assert net[0].weight.min() >= 0 and net[0].weight.max() <= high
    assert net[0].weight.std() > 0


def test_bounds_hold_at_every_step_and_not_at_the_end():
    """Up by 1, and down by exp(-1/20): from the bound, not from above it."""
    fc = nn.Linear(1, 1).double()
    nn.init.constant_(fc.weight, 0.9)
    rule = plasticity.STDP(20.0, 20.0).attach(fc)
    rule.record(train([0, 2]), train([1]))
    rule.step(lr=0.5)
    assert fc.weight.item() == pytest.approx(1 - 0.5 * math.exp(-1 / 20))
    nn.init.constant_(fc.weight, 0.9)
    rule.reset()
    rule.record(train([0, 2]), train([1]))
    rule.step(on_grad=True)
    torch.optim.SGD(fc.parameters(), lr=0.5).step()
    assert fc.weight.item() == pytest.approx(0.9, abs=1e-9)
