"""The rules beside other libraries; ``make peer-test`` runs it, and no other target."""

import warnings

import pytest
import torch
from torch import nn

from bitspike import plasticity
from helpers.compare import error

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from spikingjelly.activation_based import learning
    from spikingjelly.activation_based.functional import learning as steps

STEPS, BATCH, INPUTS, OUTPUTS = 25, 3, 6, 4


def raster(batch=BATCH):
    pre = (torch.rand(STEPS, batch, INPUTS) < 0.3).double()
    post = (torch.rand(STEPS, batch, OUTPUTS) < 0.3).double()
    return pre, post


def constant(weight):
    return torch.ones_like(weight)


def ours(rule, pre, post, **options):
    fc = nn.Linear(INPUTS, OUTPUTS).double()
    rule.attach(fc)
    rule.record(pre, post)
    rule.step(on_grad=True, **options)
    return -fc.weight.grad


@pytest.mark.parametrize("function, legacy", [("stdp", True), ("mstdp", False)])
def test_spikingjelly_pairs(function, legacy):
    pre, post = raster()
    weight = torch.zeros(OUTPUTS, INPUTS).double()
    traces, total = (torch.zeros_like(pre[0]), torch.zeros_like(post[0])), 0.0
    for s, fired in zip(pre, post, strict=True):
        change, traces = getattr(steps, f"{function}_linear_step")(
            s, fired, traces, weight, tau_pre=5.0, tau_post=8.0, f_pre=constant, f_post=constant
        )
        total = total + (change if change.dim() == 2 else change.sum(0))
    rule = dict(bound="none", coincident="both")
    found = ours(plasticity.STDP(5.0, 8.0, legacy=legacy, **rule), pre, post)
    assert error(found, total) < 1e-10
    assert (
        error(ours(plasticity.STDP(5.0, 8.0, legacy=not legacy, **rule), pre, post), total) > 1e-3
    )


@pytest.mark.parametrize("kind", ["MSTDPLearner", "MSTDPETLearner"])
def test_spikingjelly_rewards(kind):
    pre, post = raster(1)
    rewards = torch.linspace(-1, 1, STEPS).double()
    fc, neuron = nn.Linear(INPUTS, OUTPUTS).double(), nn.Identity()
    with_trace = {"tau_trace": 4.0} if kind == "MSTDPETLearner" else {}
    learner = getattr(learning, kind)(
        "s", fc, neuron, tau_pre=5.0, tau_post=8.0, f_pre=constant, f_post=constant, **with_trace
    )
    total = 0.0
    for s, fired, reward in zip(pre, post, rewards, strict=True):
        # Eligibility with a trace takes spikes without an axis of samples.
        fc(s[0] if with_trace else s)
        neuron(fired[0] if with_trace else fired)
        total = total + learner.step(reward, on_grad=False)
    make = plasticity.MSTDPET if with_trace else plasticity.MSTDP
    taus = (5.0, 8.0, 4.0) if with_trace else (5.0, 8.0)
    reward = rewards.view(STEPS, 1)
    assert error(ours(make(*taus, bound="none"), pre, post, reward=reward), total) < 1e-10
    assert error(ours(make(*taus, bound="none", lag=0), pre, post, reward=reward), total) > 1e-3


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("additive", [False, True])
def test_bindsnet_pairs(additive):
    """`PostPre`: traces decay first, all pairs or nearest ones; weights change at once."""
    pytest.importorskip("bindsnet")
    from bindsnet.learning import PostPre
    from bindsnet.network.nodes import Input
    from bindsnet.network.topology import Connection

    pre, post = (x.float() for x in raster())
    fc = nn.Linear(INPUTS, OUTPUTS, bias=False)
    torch.nn.init.uniform_(fc.weight)
    sides = [
        Input(count, traces=True, traces_additive=additive, tc_trace=20.0)
        for count in (INPUTS, OUTPUTS)
    ]
    theirs = Connection(*sides, w=fc.weight.t().detach().clone(), wmin=0.0, wmax=1.0)
    rule = PostPre(theirs, nu=(1e-2, 2e-2), reduction=torch.sum)
    for side in sides:
        side.compute_decays(1.0)
        side.set_batch_size(BATCH)
    for fired in zip(pre, post, strict=True):
        for side, spikes in zip(sides, fired, strict=True):
            side.forward(spikes.bool())
        rule.update()
        theirs.w.clamp_(0, 1)

    before = fc.weight.detach().clone()
    stdp = plasticity.STDP(
        20.0, 20.0, A_plus=2e-2, A_minus=1e-2, coincident="both",
        pairing="all" if additive else "nearest",
    ).attach(fc)  # fmt: skip
    stdp.record(pre, post)
    stdp.step(lr=1.0)
    assert error(fc.weight.t(), theirs.w) < 1e-5
    assert (fc.weight - before).abs().max() > 0.05
