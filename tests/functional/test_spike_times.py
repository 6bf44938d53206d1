"""Times of spikes, and losses of them.

Where snnTorch 1.0 gets them wrong, a test says what it does, and what is right.
"""

import numpy
import pytest
import snntorch.functional as theirs
import torch

import bitspike.functional as SF
from helpers.recordings import LABELS, B, C, T, loss_and_gradient, spikes


def test_wrong_classes_shall_fire_last():
    x = spikes()
    assert theirs.SpikeTime()(x, LABELS)[1].abs().max() == 0
    wanted = torch.full((B, C), T - 1.0)
    wanted[torch.arange(B), LABELS] = 0
    assert torch.equal(SF.SpikeTime()(x, LABELS)[1], wanted)
    times = theirs.SpikeTime.FirstSpike.apply(x)
    expected = ((times / T - wanted / T) ** 2).mean()
    torch.testing.assert_close(SF.mse_temporal_loss()(x, LABELS), expected)


def test_wanted_times_are_left_as_they_are():
    given = torch.full((B, C), -2)
    theirs.SpikeTime(target_is_time=True)(spikes(), given)
    assert (given == T - 2).all()
    given = torch.full((B, C), -2)
    _, wanted = SF.SpikeTime(target_is_time=True)(spikes(), given)
    assert (given == -2).all() and (wanted == T - 2).all()


def test_a_spike_of_one_neuron_does_not_hide_that_of_another():
    # Both fire at steps 0 and 2, and the second one at step 1 as well.
    x = torch.tensor([[1.0, 1], [0, 1], [1, 1], [0, 0]]).unsqueeze(1)
    times = torch.zeros(3, 1, 2)
    wrong, _ = theirs.SpikeTime(target_is_time=True, multi_spike=True)(x, times.clone())
    assert wrong.tolist() == [[[0, 0]], [[2, 1]], [[3, 3]]]
    right, _ = SF.SpikeTime(target_is_time=True, multi_spike=True)(x, times)
    assert right.tolist() == [[[0, 0]], [[2, 1]], [[3, 2]]]


def test_gradients_of_several_spikes_add_up():
    x = torch.tensor([1.0, 0, 1, 0, 0]).view(5, 1, 1)
    loss = SF.mse_temporal_loss(True, multi_spike=True, reduction="sum")
    # Times are 0, 2 and twice the last step, 4, where none comes.
    _, gradient = loss_and_gradient(loss, x, torch.full((4, 1, 1), 1.0))
    expected = torch.tensor([1.0, 0, -1, 0, -6]) * 2 / 25
    torch.testing.assert_close(gradient.flatten(), expected)


@pytest.mark.parametrize("listed", [tuple, list, torch.tensor, numpy.array])
def test_labels_of_several_spikes(listed):
    on, off = listed((2, 5)), listed((-1, -2))
    find = SF.SpikeTime(on_target=on, off_target=off, multi_spike=True)
    _, wanted = find(spikes(), LABELS)
    assert wanted.shape == (2, B, C)
    assert wanted[:, 0, 1].tolist() == [2, 5] and wanted[:, 0, 0].tolist() == [T - 1, T - 2]


def test_amplitudes_are_no_times():
    x = torch.tensor([0.0, 2, 2, 0, 0]).view(5, 1, 1)
    zeros = torch.zeros(1, 1)
    wrong, _ = theirs.SpikeTime(target_is_time=True)(x, zeros.clone())
    right, _ = SF.SpikeTime(target_is_time=True)(x, zeros)
    assert (wrong.item(), right.item()) == (3, 1)
    # Neuron 0 fires first, whatever the size of its spikes.
    both = torch.tensor([[0.0, 0], [9, 0], [0, 1], [0, 0]]).unsqueeze(1)
    assert SF.accuracy_temporal(both, torch.tensor([0])) == 1


@pytest.mark.parametrize("steps, count", [(1, 1), (1, 3), (7, 1), (7, 3)])
def test_gradients_are_those_of_a_loop(steps, count):
    x = spikes(0.2, (steps, 3, 4)).requires_grad_()
    find = SF.SpikeTime(target_is_time=True, multi_spike=True)
    times, _ = find(x, torch.zeros(count, 3, 4))
    upstream = torch.randn(times.shape)
    times.backward(upstream)
    expected = torch.zeros_like(x)
    for n in range(count):
        for b in range(3):
            for c in range(4):
                fired = x[:, b, c].nonzero().flatten().tolist()
                at = fired[n] if n < len(fired) else steps - 1
                assert times[n, b, c] == at
                expected[at, b, c] -= upstream[n, b, c]
    torch.testing.assert_close(x.grad, expected)


def test_a_spike_on_time_costs_nothing_but_keeps_its_gradient():
    x = spikes()
    times, wanted = SF.SpikeTime(on_target=6, off_target=3, tolerance=2)(x, LABELS)
    far, _ = SF.SpikeTime(on_target=6, off_target=3)(x, LABELS)
    close = (far - wanted).abs() < 2
    assert close.any() and not close.all()
    assert torch.equal(times, torch.where(close, wanted, far))
    _, gradient = loss_and_gradient(lambda s, y: SF.SpikeTime(tolerance=T)(s, y)[0], x, LABELS)
    assert torch.equal(gradient.sum(0), -torch.ones(B, C))
