"""Escape noise: spikes by chance, with the probability's gradient."""

import math

import pytest
import torch

import bitspike as snn


def test_probability():
    """P = 1 - exp(-ρ·exp((U - θ)/Δ)), over many neurons at the same membrane."""
    for level, rate in ((0.6, 1.0), (1.0, 0.5), (1.2, 1.0)):
        neuron = snn.EscapeLeaky(beta=0.0, width=0.25, rate=rate)
        spikes, _, _ = neuron(torch.full((200_000,), level))
        wanted = 1 - math.exp(-rate * math.exp((level - 1) / 0.25))
        spread = math.sqrt(wanted * (1 - wanted) / 200_000)
        assert abs(spikes.mean().item() - wanted) < 5 * spread


def test_without_width_it_is_leaky():
    x = torch.rand(50, 4, 5)
    noisy = snn.EscapeLeaky(beta=0.9, width=1e-6, multi_step=True)
    spikes, _, membranes = noisy(x)
    wanted, wanted_membranes = snn.Leaky(beta=0.9, multi_step=True)(x)
    assert wanted.sum() > 10
    assert spikes.equal(wanted.dense()) and membranes.equal(wanted_membranes)


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
def test_the_reset_follows_the_spike_that_was_drawn(reset):
    neuron = snn.EscapeLeaky(beta=0.5, width=1.0, reset_mechanism=reset, multi_step=True)
    x = torch.rand(40, 3, 4)
    spikes, fired, membranes = neuron(x)
    assert spikes.equal(fired) and 0 < spikes.mean() < 1
    before = torch.cat([torch.zeros(1, 3, 4), membranes[:-1]])
    last = torch.cat([torch.zeros(1, 3, 4), spikes[:-1]])
    integrated = 0.5 * before + x
    wanted = {
        "subtract": integrated - last,
        "zero": integrated * (1 - last),
        "none": integrated,
    }[reset]
    assert torch.allclose(membranes, wanted)


def test_gradient_is_that_of_the_probability():
    x = torch.tensor([0.5, 1.0, 1.5], requires_grad=True)
    neuron = snn.EscapeLeaky(beta=0.0, width=0.5, rate=0.8)
    spikes, _, _ = neuron(x)
    assert set(spikes.tolist()) <= {0.0, 1.0}
    spikes.sum().backward()
    y = x.detach().double().requires_grad_()
    (1 - torch.exp(-0.8 * torch.exp((y - 1) / 0.5))).sum().backward()
    assert torch.allclose(x.grad.double(), y.grad, rtol=1e-5)


def test_log_probabilities_add_up_to_one():
    neuron = snn.EscapeLeaky(beta=0.5)
    mem = torch.linspace(-1, 2, 50)
    both = [neuron.log_prob(torch.full_like(mem, s), mem).exp() for s in (0.0, 1.0)]
    assert torch.allclose(sum(both), torch.ones(50))


def test_score_function_gradient():
    """E[f(S)·d log P(S)/dU] is the gradient of E[f(S)]."""
    neuron = snn.EscapeLeaky(beta=0.0, width=0.5)
    mem = torch.full((400_000,), 0.7, requires_grad=True)
    with torch.no_grad():
        spikes, _, _ = neuron(mem)
    (neuron.log_prob(spikes, mem) * spikes).sum().backward()
    level = torch.tensor(0.7, requires_grad=True)
    (-torch.expm1(-neuron.hazard(level))).backward()
    assert mem.grad.mean().item() == pytest.approx(level.grad.item(), rel=0.02)


@pytest.mark.parametrize(
    "arguments, name",
    [
        (dict(width=0.0), "width"),
        (dict(rate=-1.0), "rate"),
        (dict(inhibition=True), "inhibition"),
        (dict(order="fire_first"), "order"),
        (dict(reset_delay=False), "reset_delay"),
    ],
)
def test_errors(arguments, name):
    with pytest.raises(ValueError, match=name):
        snn.EscapeLeaky(beta=0.5, **arguments)
