"""Batches of recordings, transforms, and workers that make them."""

import pickle

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from bitspike import events
from bitspike.functional import loss


def recording(steps, seed):
    if not steps:
        return events.from_events([], [], sensor_size=(16, 1, 1), time_window=10)
    generator = torch.Generator().manual_seed(seed)
    t = torch.randint(10 * steps, (50,), generator=generator)
    x = torch.randint(16, (50,), generator=generator)
    return events.from_events(t, x, sensor_size=(16, 1, 1), time_window=10, start=0, end=10 * steps)


def test_shorter_recordings_are_padded_with_silence():
    samples = [recording(steps, steps) for steps in (3, 7, 0, 5)]
    batch = events.collate(samples)
    assert batch.spikes.shape == (7, 4, 1, 1, 16)
    assert batch.lengths.tolist() == [3, 7, 0, 5] and batch.labels is None
    for sample, spikes in enumerate(samples):
        assert torch.equal(batch.spikes[: len(spikes), sample].dense(), spikes.dense())
        assert not batch.spikes[len(spikes) :, sample].any()


def test_batches_have_the_steps_that_are_asked_for():
    labelled = [(recording(3, 1), 4), (recording(7, 2), 5)]
    batch = events.collate(labelled, T=5)
    assert batch.spikes.shape[:2] == (5, 2) and batch.lengths.tolist() == [3, 5]
    assert batch.labels.tolist() == [4, 5]
    assert torch.equal(batch.spikes[:, 1].dense(), labelled[1][0][:5].dense())
    assert events.collate(labelled, T=9).spikes.shape[:2] == (9, 2)


def test_what_makes_no_batch_is_refused():
    with pytest.raises(ValueError, match="at least one recording"):
        events.collate([])
    with pytest.raises(TypeError, match=r"packed spikes \[T, \*\].*not Tensor"):
        events.collate([torch.zeros(3, 2)])
    other = events.from_events([0], [0], sensor_size=(2, 1), n_time_bins=1)
    with pytest.raises(ValueError, match="one shape"):
        events.collate([recording(3, 1), other])


def test_the_transform_travels():
    transform = events.ToPacked(
        sensor_size=(34, 34, 2), n_time_bins=7, filters=events.Filters(downsample=2)
    )
    array = np.zeros(20, dtype=[("x", int), ("y", int), ("t", int), ("p", int)])
    array["t"], array["x"] = np.arange(20), np.arange(20)
    again = pickle.loads(pickle.dumps(transform))
    assert torch.equal(again(array).words, transform(array).words)
    assert transform(array).shape == (7, 2, 17, 17)
    with pytest.raises(ValueError, match="must be given, not 0"):
        events.ToPacked(sensor_size=(34, 34, 2))


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_read_files(tmp_path, workers):
    items = []
    for label in range(6):
        path = tmp_path / f"{label}.bin"
        t = torch.arange(0, 100 * (label + 1), 5)
        events.write((t, t % 34, t % 30, t % 2), "nmnist", path)
        items.append((path, label))
    transform = events.ToPacked(sensor_size=(34, 34, 2), time_window=100, include_incomplete=True)
    data = events.datasets.EventFiles(items, transform)
    loader = DataLoader(data, batch_size=4, collate_fn=events.collate, num_workers=workers)
    batches = list(loader)
    assert [batch.spikes.shape[:2] for batch in batches] == [(4, 4), (6, 2)]
    assert batches[0].lengths.tolist() == [1, 2, 3, 4]
    assert torch.equal(batches[1].spikes[:, 1].words, data[5][0].words)


def test_a_batch_is_learnt_from():
    batch = events.collate([(recording(4, 1), 0), (recording(6, 2), 1)])
    layer = torch.nn.Linear(16, 2)
    value = loss.mse_count_loss()(layer(batch.spikes.flatten(2)), batch.labels)
    value.backward()
    assert layer.weight.grad.abs().sum() > 0
