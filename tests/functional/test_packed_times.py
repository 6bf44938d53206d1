"""Spike times of packed spikes are those of dense ones, and are read off the bits."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitspike as snn
import bitspike.functional as SF
from helpers.compare import same_bits
from helpers.recordings import spikes


def times_and_gradient(recording, count, weights):
    """The first spike times, and the gradient of their weighted sum."""
    x = recording.clone().requires_grad_()
    wanted = range(count)
    times, _ = SF.SpikeTime(on_target=wanted, off_target=wanted, multi_spike=True)(
        x, torch.zeros(x.shape[1], dtype=torch.int64)
    )
    (times * weights).sum().backward()
    return times, x.grad


def same_as_dense(x, count):
    weights = torch.randn(count, *x.shape[1:], generator=torch.Generator().manual_seed(1))
    packed = snn.SpikeTensor.from_dense(x)
    before = snn.unpacked_operations()
    times, gradient = times_and_gradient(packed, count, weights)
    assert snn.unpacked_operations() == before
    wanted_times, wanted_gradient = times_and_gradient(x, count, weights)
    return same_bits(times, wanted_times) and same_bits(gradient, wanted_gradient)


@given(
    steps=st.integers(1, 20),
    batch=st.integers(1, 5),
    neurons=st.integers(1, 140),
    count=st.integers(1, 4),
    density=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    seed=st.integers(0, 99),
)
def test_times_of_packed_spikes(steps, batch, neurons, count, density, seed):
    assert same_as_dense(spikes(density, (steps, batch, neurons), seed), count)


@pytest.mark.isa
@pytest.mark.parametrize("steps", [255, 600])
def test_long_recordings(steps):
    x = spikes(0.004, (steps, 7, 150))
    assert (x.sum(0) == 0).any() and (x.sum(0) > 2).any()
    assert same_as_dense(x, 3)


def test_half_precision():
    assert same_as_dense(spikes().to(torch.bfloat16), 2)


def test_by_hand():
    # One neuron fires at steps 1 and 3, the other never.
    train = torch.tensor([[0.0, 0], [1, 0], [0, 0], [1, 0], [0, 0]]).unsqueeze(1)
    packed = snn.SpikeTensor.from_dense(train)
    weights = torch.tensor([[[1.0, 10]], [[2, 20]], [[4, 40]]])
    times, gradient = times_and_gradient(packed, 3, weights)
    assert times.tolist() == [[[1, 4]], [[3, 4]], [[4, 4]]]
    # All that did not fire is laid to the last step.
    assert gradient.squeeze(1).tolist() == [[0, 0], [-1, 0], [0, 0], [-2, 0], [-4, -70]]


def test_expanded_gradients():
    x = snn.SpikeTensor.from_dense(spikes()).requires_grad_()
    times, _ = SF.SpikeTime()(x, torch.zeros(x.shape[1], dtype=torch.int64))
    times.sum().backward()
    assert (x.grad.sum(0) == -1).all() and x.grad.count_nonzero() == times.numel()


def test_training_on_times():
    net = torch.nn.Linear(20, 6)
    lif = snn.Leaky(beta=0.9, init_hidden=True, multi_step=True)
    x, labels = torch.rand(9, 4, 20), torch.tensor([1, 0, 5, 1])
    gradients = []
    for change in (lambda s: s, lambda s: s + 0.0):
        lif.reset_mem()
        SF.mse_temporal_loss()(change(lif(net(x))), labels).backward()
        gradients.append(net.weight.grad.clone())
        net.zero_grad()
    assert gradients[0].abs().max() > 0 and same_bits(*gradients)
