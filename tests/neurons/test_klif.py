"""`KLIF` by hand, and in the form of its paper."""

import pytest
import torch

import bitspike as snn
from helpers.compare import dense, same_bits

# k = 2, beta = 1/2: what is integrated counts twice, what is negative is cut off.
TRACES = {
    "subtract": ([1.5, 1.0, 0.0, 0.5], [1, 0, 0, 0]),
    "zero": ([1.5, 0.5, 0.0, 0.5], [1, 0, 0, 0]),
    "none": ([1.5, 2.0, 0.5, 1.0], [1, 1, 0, 0]),
}


@pytest.mark.parametrize("reset", TRACES)
def test_trace(reset):
    membranes, fired = TRACES[reset]
    neuron = snn.KLIF(beta=0.5, k=2.0, reset_mechanism=reset, learn_k=False, multi_step=True)
    spikes, mem = neuron(torch.tensor([[0.75], [0.25], [-0.75], [0.25]]))
    assert mem[:, 0].tolist() == membranes
    assert dense(spikes)[:, 0].tolist() == fired


@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_the_form_of_the_paper(reset):
    """F = relu(k·H), a spike where F is above threshold, and the reset of F at once."""
    x, beta, k = torch.randn(40, 3, 30), torch.tensor(0.7), torch.tensor(1.3)
    v, spikes = torch.zeros(3, 30), []
    for current in x:
        f = torch.relu(k * (beta * v + current))
        spikes.append((f > 1).float())
        v = f * (1 - spikes[-1]) if reset == "zero" else f - spikes[-1]
    neuron = snn.KLIF(beta, k, reset_mechanism=reset, multi_step=True)
    assert 0.1 < torch.stack(spikes).mean() < 0.5
    assert dense(neuron(x)[0]).equal(torch.stack(spikes))


def test_the_corner_of_the_relu():
    """At 0 no gradient passes, as in torch; signs of zero and NaN are torch's."""
    values = torch.tensor([[-0.0, 0.0, float("nan"), float("inf"), -float("inf")]])
    for k in (1.0, -1.0):
        neuron = snn.KLIF(beta=0.5, k=k, reset_mechanism="none", learn_k=False, multi_step=True)
        initial = torch.full((5,), -0.0)
        x = values.clone().requires_grad_()
        _, mem = neuron(x, initial)
        _, (wanted,) = neuron.step(values[0], initial)
        assert same_bits(mem[0], wanted)
        mem[:, :2].sum().backward()
        assert x.grad[0, :2].tolist() == [0, 0]


def test_k_is_learned():
    assert [name for name, _ in snn.KLIF(0.9).named_parameters()] == ["k"]
    assert not list(snn.KLIF(0.9, learn_k=False).parameters())


def test_a_late_reset_only():
    with pytest.raises(ValueError, match="reset_delay"):
        snn.KLIF(0.9, reset_delay=False)
