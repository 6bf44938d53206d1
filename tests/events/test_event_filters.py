"""Filters in front of frames: each does what it says, the same in pieces and from files."""

import pytest
import torch

from bitspike import events

SENSOR = {"sensor_size": (8, 8)}


def noise(count=2000, seed=0):
    generator = torch.Generator().manual_seed(seed)
    t = torch.randint(100_000, (count,), generator=generator).sort().values
    x, y = torch.randint(8, (2, count), generator=generator)
    return t, x, y, torch.randint(2, (count,), generator=generator)


FILTERS = [
    events.Filters(drop=0.4, seed=3),
    events.Filters(jitter=700, seed=3),
    events.Filters(crop=(1, 2, 5, 4)),
    events.Filters(refractory=3000),
    events.Filters(background=2000),
    events.Filters(downsample=3),
    events.Filters(mask=torch.eye(8) > 0),
    events.Filters(drop=0.1, jitter=5, crop=(0, 0, 8, 6), refractory=9, downsample=2, seed=-1),
]


@pytest.mark.parametrize("filters", FILTERS, ids=lambda filters: str(filters.stages())[:40])
def test_files_and_live_events_are_filtered_alike(filters):
    made = noise()
    options = {"time_window": 10_000, "start": 0, **SENSOR}
    whole = events.binned(*made, filters=filters, include_incomplete=True, end=100_000, **options)
    plain = events.binned(*made, include_incomplete=True, end=100_000, **options)
    assert not torch.equal(whole.spikes.sum((1, 2, 3)), plain.spikes.sum((1, 2, 3)))
    lost = whole.placed.filtered + whole.placed.early + whole.placed.late
    assert whole.placed.events + lost == len(made[0])
    data = events.write(made, "evt3")
    filed = events.from_file(data, filters=filters, include_incomplete=True, end=100_000, **options)
    assert torch.equal(filed.words, whole.spikes.words)
    if not filters.jitter:  # which moves events to steps that were returned already
        binner = events.Binner((8, 8), 10_000, start=0, filters=filters)
        parts = [binner.push(*(c[i : i + 90] for c in made)) for i in range(0, 2000, 90)]
        live = torch.cat([*(part.words for part in parts), binner.flush().words])
        assert torch.equal(live[:, 0], whole.spikes.words[: len(live)])


def test_shapes_follow_crops_and_squares():
    filters = events.Filters(crop=(1, 2, 5, 4), downsample=2)
    spikes = events.from_events(
        [0, 0, 0], [1, 5, 6], [2, 5, 2], filters=filters, n_time_bins=1, **SENSOR
    )
    assert spikes.shape == (1, 2, 2, 3)
    assert spikes.nonzero().tolist() == [[0, 1, 0, 0], [0, 1, 1, 2]]


def test_seeds_are_new_unless_they_are_given():
    made = noise()
    options = {"n_time_bins": 10, **SENSOR}
    torch.manual_seed(1)
    one, two = (
        events.from_events(*made, filters=events.Filters(drop=0.5), **options) for _ in "ab"
    )
    assert not torch.equal(one.words, two.words)
    torch.manual_seed(1)
    again = events.from_events(*made, filters=events.Filters(drop=0.5), **options)
    assert torch.equal(again.words, one.words)
    kept = events.binned(*made, filters=events.Filters(drop=0.25, seed=9), **options).placed.events
    assert abs(kept - 1500) < 5 * (2000 * 0.25 * 0.75) ** 0.5


def test_hot_pixels_are_found_and_masked():
    t, x, y, p = noise()
    at = torch.arange(0, 100_000, 100)
    hot = torch.full_like(at, 3)
    t, order = torch.cat([t, at]).sort(stable=True)
    x, y = torch.cat([x, hot])[order], torch.cat([y, hot])[order]
    p = torch.cat([p, hot > 0])[order]
    mask = events.hot_pixels(t, x, y, p, sensor_size=(8, 8), max_rate=2000)
    assert mask.nonzero().tolist() == [[3, 3]]
    options = {"n_time_bins": 50, **SENSOR}
    quiet = events.from_events(t, x, y, p, filters=events.Filters(mask=mask), **options)
    assert quiet[:, :, 3, 3].sum() == 0
    plain = events.from_events(t, x, y, p, **options).dense()
    plain[:, :, 3, 3] = 0
    assert torch.equal(quiet.dense(), plain)
    assert events.hot_pixels([], [], sensor_size=(2, 2), max_rate=1).sum() == 0
    with pytest.raises(ValueError, match="sensor_size must be given"):
        events.hot_pixels([0], [0], max_rate=1)


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        (events.Filters(drop=1.5), "probability to drop an event must be from 0 to 1"),
        (events.Filters(crop=(5, 0, 4, 1)), "a crop must be a rectangle of pixels"),
        (events.Filters(mask=torch.zeros(3, 3)), "a mask must be one value for each pixel"),
        (events.Filters(downsample=0), "side of a square must be at least 1"),
    ],
)
def test_filters_that_make_no_sense(filters, says):
    with pytest.raises(ValueError, match=says):
        events.from_events([0], [0], [0], filters=filters, n_time_bins=1, **SENSOR)
