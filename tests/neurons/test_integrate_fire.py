"""`IF` by hand, and as the `Leaky` that it is."""

import torch

import bitspike as snn
from helpers.compare import dense, same_bits


def test_trace():
    neuron = snn.IF(threshold=1.0, reset_mechanism="zero", multi_step=True)
    spikes, mem = neuron(torch.tensor([[0.75], [0.75], [0.25], [-0.5]]))
    assert mem[:, 0].tolist() == [0.75, 1.5, 0.25, -0.25]
    assert dense(spikes)[:, 0].tolist() == [0, 1, 0, 0]


def test_it_is_leaky_without_leak():
    x = torch.randn(30, 4, 70)
    for arguments in ({}, dict(reset_delay=False), dict(threshold=0.4, graded_spikes_factor=2.0)):
        wanted = snn.Leaky(beta=1.0, multi_step=True, **arguments)(x)
        neuron = snn.IF(multi_step=True, **arguments)
        assert neuron.native_refusal(x) is None
        assert all(same_bits(w, a) for w, a in zip(wanted, neuron(x), strict=True))


def test_its_rate_is_that_of_its_input():
    """What a subtraction leaves is not lost: the count is the integral of the input."""
    x = torch.tensor([0.125, 0.5, 0.875])
    spikes, mem = snn.IF(multi_step=True)(x.expand(800, 3))
    subtracted = dense(spikes)[:-1].sum(0)
    assert (subtracted + mem[-1]).equal(800 * x)


def test_nothing_is_learned_but_what_is_asked_for():
    assert not list(snn.IF().parameters())
    assert [name for name, _ in snn.IF(learn_threshold=True).named_parameters()] == ["threshold"]
    assert snn.IF().beta.item() == 1
