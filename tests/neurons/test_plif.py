"""`PLIF` by hand, and in the form of its paper."""

import pytest
import torch

import bitspike as snn
from helpers.compare import dense, error

# beta = 1/2: half of the membrane and half of the input.
TRACES = {
    "subtract": ([1.5, 0.75, 0.375], [1, 0, 0]),
    "subtract_beta": ([1.5, 1.25, 0.125], [1, 1, 0]),
    "zero": ([1.5, 1.0, 0.5], [1, 0, 0]),
    "none": ([1.5, 1.75, 0.875], [1, 1, 0]),
}


@pytest.mark.parametrize("reset", TRACES)
def test_trace(reset):
    membranes, fired = TRACES[reset]
    neuron = snn.PLIF(beta=0.5, reset_mechanism=reset, learn_beta=False, multi_step=True)
    spikes, mem = neuron(torch.tensor([[3.0], [2.0], [0.0]]))
    assert mem[:, 0].tolist() == membranes
    assert dense(spikes)[:, 0].tolist() == fired


@pytest.mark.parametrize("reset", ["zero", "subtract_beta"])
def test_the_form_of_the_paper(reset):
    """H = V + (X - V)/tau, a spike where H is above threshold, and the reset of V at once."""
    x, tau = torch.randn(40, 3, 30) * 2, 3.0
    v, spikes = torch.zeros(3, 30), []
    for current in x:
        h = v + (current - v) / tau
        spikes.append((h > 1).float())
        v = h * (1 - spikes[-1]) if reset == "zero" else h - spikes[-1]
    neuron = snn.PLIF(beta=1 - 1 / tau, reset_mechanism=reset, multi_step=True)
    assert 0.02 < torch.stack(spikes).mean() < 0.5
    assert dense(neuron(x)[0]).equal(torch.stack(spikes))


def test_the_parameter_is_unbounded():
    neuron = snn.PLIF(beta=torch.tensor([0.1, 0.5, 0.9]))
    assert [name for name, _ in neuron.named_parameters()] == ["w"]
    assert torch.allclose(neuron.w, torch.tensor([-2.1972246, 0.0, 2.1972246]))
    assert torch.allclose(neuron.beta, torch.tensor([0.1, 0.5, 0.9]))
    assert not list(snn.PLIF(learn_beta=False).parameters())


def test_gradient_of_the_parameter():
    """dU/dw = (U[t-1] - I)·beta·(1 - beta) at the first step."""
    neuron = snn.PLIF(beta=0.75, multi_step=True)
    _, mem = neuron(torch.tensor([[0.25]]), torch.tensor([0.875]))
    mem.sum().backward()
    assert error(neuron.w.grad, torch.tensor(0.625 * 0.75 * 0.25)) < 1e-6


@pytest.mark.parametrize("beta", [0.0, 1.0, -0.5, torch.tensor([0.5, 1.5]), float("nan"), 2])
def test_refused(beta):
    with pytest.raises(ValueError, match="beta must be between 0 and 1"):
        snn.PLIF(beta=beta)
