"""The leaky neuron whose decay follows its activity."""

import math

import pytest
import torch

import bitspike as snn
from helpers.compare import RESETS, dense, error
from helpers.firing import trace


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def test_trace_by_hand():
    neuron = snn.ModulatedLeaky(beta=0.5, gain=2.0, rho=0.5)
    spikes, states = trace(neuron, [3.0, 1.0, 0.0], 0, 0)
    kept = sigmoid(2.0)  # r = 1 after the spike
    second = kept * 1.5 + (1 - kept) * 1.0 - 1
    third = sigmoid(1.0) * second  # r = 1/2
    assert spikes == [1, 0, 0]
    assert [x for pair in states for x in pair] == pytest.approx(
        [1, 1.5, 0.5, second, 0.25, third], rel=1e-6
    )


@pytest.mark.parametrize("reset, delay", RESETS)
def test_without_gain_it_is_plif(reset, delay):
    """Spikes, membranes and gradients; that of the decay is summed in another order."""
    options = dict(
        beta=torch.tensor([0.3, 0.6, 0.9]),
        threshold=0.5,
        learn_threshold=True,
        reset_mechanism=reset,
        reset_delay=delay,
        multi_step=True,
    )
    x = torch.rand(20, 4, 3) * 2
    results = []
    for kind in (snn.ModulatedLeaky, snn.PLIF):
        neuron, leaf = kind(**options), x.clone().requires_grad_()
        neuron.spike_grad = lambda x: snn.surrogate.atan()(x)  # both in torch
        spikes, *_, mem = neuron(leaf)
        (spikes.sum() + mem.square().sum()).backward()
        results.append([dense(spikes), mem, leaf.grad, neuron.w.grad, neuron.threshold.grad])
    assert 0.1 < results[0][0].mean() < 0.9
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs) or error(ours, theirs) < 1e-5


def test_with_gain_it_is_not():
    x = torch.rand(20, 4, 3) * 2
    mems = [
        snn.ModulatedLeaky(0.5, gain, threshold=0.5, multi_step=True)(x)[2] for gain in (0.0, 1.0)
    ]
    assert (mems[0] - mems[1]).abs().max() > 0.1


def test_the_trace_counts_spikes_of_immediate_resets_too():
    for delay in (True, False):
        neuron = snn.ModulatedLeaky(0.5, 1.0, rho=1.0, reset_delay=delay, multi_step=True)
        spikes, r, _ = neuron(torch.rand(30, 2, 3) * 4)
        assert torch.equal(dense(spikes).cumsum(0), r) and r[-1].min() >= 3


def test_a_neuron_that_has_fired_holds_its_membrane():
    """β = σ(0 + 10·r): after a spike almost nothing is forgotten."""
    neuron = snn.ModulatedLeaky(0.5, 10.0, rho=1.0, reset_mechanism="none", multi_step=True)
    x = torch.zeros(50, 2)
    x[0] = torch.tensor([2.5, 1.9])  # one fires, one does not
    _, _, mem = neuron(x)
    assert mem[-1, 0] > 1.2 and mem[-1, 1] < 1e-10


def test_gain_and_traces_learn():
    neuron = snn.ModulatedLeaky(0.5, gain=torch.zeros(3), learn_rho=True, multi_step=True)
    with torch.no_grad():
        neuron.gain.fill_(0.5)
    neuron(torch.rand(30, 4, 3) * 4)[2].square().sum().backward()
    assert all(p.grad.abs().min() > 0 for p in (neuron.w, neuron.gain, neuron.rho))
    assert {name for name, _ in snn.ModulatedLeaky(learn_gain=False).named_parameters()} == {"w"}


def test_errors():
    with pytest.raises(ValueError, match="beta must be between 0 and 1"):
        snn.ModulatedLeaky(beta=1.0)
    with pytest.raises(ValueError, match=r"gain has shape \(4,\)"):
        snn.ModulatedLeaky(gain=torch.zeros(4))(torch.rand(2, 3))
