"""Neurons beside SpikingJelly's; ``make peer-test`` runs it, and no other target."""

import warnings

import pytest
import torch

import bitspike as snn
from helpers.compare import error

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from spikingjelly.activation_based import neuron, surrogate

T, B, C = 12, 4, 5


def assert_same(ours, theirs, x, learned):
    """Spikes, and gradients of the input and of pairs of parameters."""
    leaves = [x.clone().requires_grad_() for _ in range(2)]
    trains = [ours(leaves[0])[0], theirs(leaves[1])]
    assert 0.05 < trains[1].mean() < 0.95
    assert torch.equal(*trains)
    weights = torch.randn_like(trains[0])
    for train in trains:
        (train * weights).sum().backward()
    assert error(leaves[0].grad, leaves[1].grad) < 1e-9 and leaves[0].grad.abs().max() > 1e-3
    for one, other in learned:
        assert error(one.grad, other.grad) < 1e-9 and one.grad.abs().max() > 1e-3


def surrogates():
    """The same derivative in both, 1 / (1 + (πx)²)."""
    return snn.surrogate.atan(2.0), surrogate.ATan(2.0)


@pytest.mark.parametrize("tau", [1.5, 2.0, 10.0])
def test_complementary(tau):
    mine, other = surrogates()
    ours = snn.CLIF(0.5, spike_grad=mine, detach_reset=False, multi_step=True).double()
    ours.beta.fill_(1 - 1 / tau)
    theirs = neuron.ComplementaryLIFNode(tau=tau, surrogate_function=other, step_mode="m")
    x = torch.randn(60, B, C, dtype=torch.float64) * 0.8 + 0.3
    assert_same(ours, theirs, x, [])


def test_gated():
    mine, other = surrogates()
    theirs = neuron.GatedLIFNode(T, inplane=C, surrogate_function=other).double()
    # Ours asks the membrane at rest whether it has fired, from where its threshold has a gradient.
    options = dict(spike_grad=mine, detach_reset=False, multi_step=True, learn_threshold=False)
    ours = snn.GLIF(T, C, **options).double()
    with torch.no_grad():
        for p in theirs.parameters():
            p.add_(torch.rand_like(p) - 0.5)
        names = ("alpha", "beta", "gamma", "tau", "conduct")
        for name, of in zip(("alpha", "beta", "gamma", "decay", "conductance"), names, strict=True):
            getattr(ours, f"w_{name}").copy_(getattr(theirs, of))
        ours.leak.copy_(theirs.linear_decay.sigmoid())
        ours.v_sub.copy_(theirs.v_subreset.sigmoid())
        ours.threshold.copy_(theirs.v_threshold.sigmoid())
    pairs = [
        (getattr(ours, f"w_{name}"), getattr(theirs, of))
        for name, of in zip(("alpha", "beta", "gamma", "decay", "conductance"), names, strict=True)
    ]
    x = torch.rand(T, B, C, 2, 3, dtype=torch.float64)
    assert_same(ours, theirs, x, pairs)


@pytest.mark.parametrize("kind", ["full", "masked", "sliding"])
def test_parallel(kind):
    mine, other = surrogates()
    make = {
        "full": (snn.PSN(T, spike_grad=mine, output=True), neuron.PSN(T, other)),
        "masked": (
            snn.MaskedPSN(T, 4, spike_grad=mine, multi_step=True),
            neuron.MaskedPSN(k=4, T=T, lambda_init=1.0, surrogate_function=other, step_mode="m"),
        ),
        "sliding": (
            snn.SlidingPSN(4, spike_grad=mine, multi_step=True),
            neuron.SlidingPSN(4, surrogate_function=other, step_mode="m"),
        ),
    }
    ours, theirs = (layer.double() for layer in make[kind])
    with torch.no_grad():
        theirs.weight.normal_()
        theirs.bias.normal_()
        ours.weight.copy_(theirs.weight.flip(0) if kind == "sliding" else theirs.weight)
        ours.bias.copy_(theirs.bias.reshape(ours.bias.shape) + 1)  # where ours has a threshold
    x = torch.randn(T, B, C, dtype=torch.float64)
    assert_same(ours, theirs, x, [])
    flipped = ours.weight.grad.flip(0) if kind == "sliding" else ours.weight.grad
    assert error(flipped, theirs.weight.grad) < 1e-9
    assert error(ours.bias.grad, theirs.bias.grad.reshape(ours.bias.shape)) < 1e-9
