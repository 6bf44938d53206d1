"""Pairs and triplets of spikes: golden numbers, loops over pairs, what rules do."""

import math

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import plasticity
from helpers.compare import error
from helpers.synapses import change, train


def raster(steps=40, batch=2, inputs=5, outputs=4):
    pre = (torch.rand(steps, batch, inputs) < 0.3).double()
    post = (torch.rand(steps, batch, outputs) < 0.3).double()
    assert pre.any() and post.any() and not pre.all() and not post.all()
    return pre, post


GOLDEN = {
    "pre first": ({}, [0], [3], 0.740818),
    "post first": ({}, [2], [0], -0.904837),
    "all": ({}, [0, 4], [5], 1.511368),
    "nearest": ({"pairing": "nearest"}, [0, 4], [5], 0.904837),
    "linear decay": ({"legacy": True}, [0], [3], 0.729),
    "symmetric": ({"window": "symmetric"}, [2], [0], 0.904837),
    "anti": ({"window": "anti"}, [0], [3], -0.740818),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_pairs(case):
    options, pre, post, wanted = GOLDEN[case]
    rule = plasticity.STDP(10.0, 20.0, bound="none", **options)
    assert change(rule, train(pre), train(post)).item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    "pre, post, wanted",
    [([0], [5], 0.0), ([0], [5, 15], 2.438116e-3), ([0, 20], [5, 15], 2.438116e-3 - 1.067039e-2)],
)
def test_golden_triplets(pre, post, wanted):
    found = change(plasticity.TripletSTDP(bound="none"), train(pre), train(post))
    assert found.item() == pytest.approx(wanted, abs=1e-8)


def by_pairs(pre, post, counts, taus=(10.0, 20.0), amplitudes=(1.0, 0.7)):
    """Every pair of spikes; ``counts`` says what a pair of the same step is."""
    total = torch.zeros(post.shape[2], pre.shape[2], dtype=torch.float64)
    for t_pre, b, j in pre.nonzero().tolist():
        for t_post, b_post, i in post.nonzero().tolist():
            apart = t_post - t_pre
            if b != b_post:
                continue
            if apart > 0 or apart == 0 and counts in ("both", "pre_first"):
                total[i, j] += amplitudes[0] * math.exp(-apart / taus[0])
            if apart < 0 or apart == 0 and counts in ("both", "post_first"):
                total[i, j] -= amplitudes[1] * math.exp(apart / taus[1])
    return total


@pytest.mark.parametrize("coincident", ["none", "both", "pre_first", "post_first"])
def test_it_is_the_sum_over_all_pairs(coincident):
    pre, post = raster()
    rule = plasticity.STDP(10.0, 20.0, A_minus=0.7, bound="none", coincident=coincident)
    found = change(rule, pre, post)
    assert error(found, by_pairs(pre, post, coincident)) < 1e-10
    other = "none" if coincident == "both" else "both"
    assert error(found, by_pairs(pre, post, other)) > 1e-3
    assert error(found, by_pairs(pre, post, coincident, taus=(10.0, 21.0))) > 1e-3


def test_a_triplet_rule_without_triplets_is_a_pair_rule():
    pre, post = raster()
    amplitudes = dict(A2_plus=1.0, A2_minus=0.7, A3_plus=0.0)
    rule = plasticity.TripletSTDP(10.0, 20.0, bound="none", **amplitudes)
    found = change(rule, pre, post)
    assert error(found, by_pairs(pre, post, "none")) < 1e-10
    third = plasticity.TripletSTDP(10.0, 20.0, bound="none", **(amplitudes | {"A3_plus": 0.1}))
    assert error(change(third, pre, post), found) > 1e-3


def test_triplets_potentiate_at_high_rates_alone():
    """Pairs with the input 10 ms first, 60 of them: at 0.1 Hz and at 50 Hz."""
    found = {}
    for period in (10_000, 20):
        starts = range(0, 60 * period, period)
        steps = 60 * period + 20
        pre, post = train(starts, steps), train((t + 10 for t in starts), steps)
        found[period] = change(plasticity.TripletSTDP(bound="none"), pre, post).item()
    assert abs(found[10_000]) < 1e-9 < 0.1 < found[20]


def test_inhibition_holds_its_neuron_at_the_rate():
    """A neuron driven to fire often is brought down to the rate, and a quiet one is let go."""
    rate, drive = 0.1, torch.tensor([1.6, 0.05])
    fc = nn.Linear(20, 2, bias=False)
    nn.init.constant_(fc.weight, 0.02)
    lif = snn.Leaky(beta=0.8, init_hidden=True, multi_step=True)
    rule = plasticity.InhibitorySTDP(rate, tau=10.0).attach(fc, lif)
    fired = []
    for _ in range(80):
        x = (torch.rand(20, 8, 20) < 0.1).float()
        with torch.no_grad():
            fired.append(lif(drive + 0.5 * torch.randn(20, 8, 2) - fc(x)).mean((0, 1)))
        rule.step(lr=4e-4)
    assert fired[0][0] > 0.25
    assert torch.stack(fired[-40:]).mean(0)[0].item() == pytest.approx(rate, abs=0.015)
    assert fc.weight[1].max() < 0.02  # it fires less than that without any inhibition
