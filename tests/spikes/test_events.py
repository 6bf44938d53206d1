"""A `SpikeTensor` as events and indices, and as people see it."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitspike import SpikeTensor
from helpers.alike import random, same

# Events and indices


@given(
    shape=st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 130)),
    seed=st.integers(0, 2**32),
)
def test_events_round_trip(shape, seed):
    dense = random(*shape, density=0.2, seed=seed)
    spikes = SpikeTensor.from_dense(dense)
    events = spikes.to_events()
    assert torch.equal(torch.stack(events, 1), dense.nonzero())
    assert same(SpikeTensor.from_events(*events, shape), dense)
    order = torch.randperm(len(events[0]), generator=torch.Generator().manual_seed(seed))
    assert same(SpikeTensor.from_events(*(x[order] for x in events), shape), dense)


def test_events_may_repeat_and_come_in_any_integer_type():
    spikes = SpikeTensor.from_events(
        np.array([2, 0, 2], np.int16),
        [0, 0, 0],
        torch.tensor([9, 4, 9], dtype=torch.uint8),
        (3, 1, 10),
    )
    assert [x.tolist() for x in spikes.to_events()] == [[0, 2], [0, 0], [4, 9]]


def test_no_events():
    assert same(SpikeTensor.from_events([], [], [], (2, 1, 70)), torch.zeros(2, 1, 70))


@pytest.mark.parametrize(
    "events, name",
    [
        (([3], [0], [0]), "t"),
        (([-1], [0], [0]), "t"),
        (([0], [2], [0]), "b"),
        (([0], [0], [70]), "n"),
    ],
)
def test_events_outside_the_shape_are_refused(events, name):
    with pytest.raises(ValueError, match=f"{name} of an event is"):
        SpikeTensor.from_events(*events, (3, 2, 70))


@pytest.mark.parametrize(
    "events, name",
    [
        (([0, 1], [0], [0]), "b"),
        (([0], [0], [0, 1]), "n"),
        (([0.0], [0], [0]), "t"),
        (([0], [0], 0), "n"),
    ],
)
def test_events_are_integers_of_one_length(events, name):
    with pytest.raises(ValueError, match=f"{name} must hold one integer per event"):
        SpikeTensor.from_events(*events, (3, 2, 70))


def test_complex_events_are_refused():
    with pytest.raises(TypeError, match="b must be a dense tensor of real numbers"):
        SpikeTensor.from_events([0], [1j], [0], (2, 2, 2))


@pytest.mark.parametrize("shape", [(1, 9), (1, 1, 1, 9), (1, -1, 9)])
def test_event_shapes_have_three_sizes(shape):
    with pytest.raises(ValueError, match="shape must be three sizes"):
        SpikeTensor.from_events([0], [0], [0], shape)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 4, 5)])
def test_only_three_axes_have_events(shape):
    with pytest.raises(ValueError, match="events have three coordinates"):
        SpikeTensor.from_dense(random(*shape)).to_events()


def test_indices():
    train = SpikeTensor.from_dense(torch.tensor([0.0, 0, 0, 0, 1, 0, 0, 0, 0, 1]))
    assert [row.tolist() for row in train.to_indices()] == [[4, 9]]
    assert [row.tolist() for row in train.to_indices(one_based=True)] == [[5, 10]]


@pytest.mark.parametrize("shape", [(3, 2, 70), (70,), (0, 2, 70), (3, 2, 0), (2, 3, 5, 6)], ids=str)
def test_indices_of_each_row(shape):
    dense = random(*shape)
    spikes = SpikeTensor.from_dense(dense)
    rows = dense.reshape(math.prod(shape[: spikes.rows]), spikes.neurons)
    expected = [row.nonzero()[:, 0].tolist() for row in rows]
    assert [row.tolist() for row in spikes.to_indices()] == expected


# Looking at it


def test_repr_tells_shape_density_and_bytes():
    spikes = SpikeTensor.from_dense(torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]))
    assert repr(spikes) == "SpikeTensor(shape=(2, 3), density=0.5, 16 bytes)"
    half = spikes.bfloat16()
    assert repr(half) == "SpikeTensor(shape=(2, 3), density=0.5, 16 bytes, torch.bfloat16)"
    leaf = spikes.detach().requires_grad_()
    assert str(leaf) == "SpikeTensor(shape=(2, 3), density=0.5, 16 bytes, requires_grad=True)"
    empty = SpikeTensor.from_dense(torch.zeros(0, 2, 3))
    assert f"{empty}" == "SpikeTensor(shape=(0, 2, 3), density=0, 0 bytes)"


def test_numpy_and_lists():
    dense = random(3, 2, 70)
    spikes = SpikeTensor.from_dense(dense)
    for array in (spikes.numpy(), np.asarray(spikes)):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, dense.numpy())
    assert spikes.tolist() == dense.tolist()
    assert spikes[0].t().tolist() == dense[0].t().tolist()
    assert spikes[1, 1, 69].item() == dense[1, 1, 69].item()
    assert [row.tolist() for row in spikes] == dense.tolist()


def test_it_looks_like_a_float_tensor():
    spikes = SpikeTensor.from_dense(random(3, 2, 70))
    assert spikes.dtype == torch.float32 and spikes.is_floating_point()
    assert spikes.device.type == "cpu" and spikes.layout == torch.strided
    assert spikes.size() == (3, 2, 70) and spikes.dim() == 3 and len(spikes) == 3
    assert spikes.numel() == 420 and spikes.words.nbytes == 3 * 2 * 2 * 8
    assert isinstance(spikes, torch.Tensor) and spikes.is_contiguous()
