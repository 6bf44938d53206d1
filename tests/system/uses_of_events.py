"""Calls of what makes spikes of the events of cameras."""

import torch
from outcome import Use

from bitspike import events

T = torch.tensor([0, 3, 5, 9])
X = torch.tensor([1, 2, 3, 0])
P = torch.tensor([1, 0, 1, 1])
OPTIONS = {"sensor_size": (4, 4), "n_time_bins": 3}


def live(x):
    return events.Binner((4, 4), 2).push(T, x)


EVENTS = [
    Use(events.from_events, "t", T, lambda t: events.from_events(t, X, **OPTIONS)),
    Use(events.from_events, "x", X, lambda x: events.from_events(T, x, **OPTIONS)),
    Use(events.from_events, "y", X, lambda y: events.from_events(T, X, y, **OPTIONS)),
    Use(events.from_events, "p", P, lambda p: events.from_events(T, X, X, p, **OPTIONS)),
    Use(events.counts, "x", X, lambda x: events.counts(T, x, **OPTIONS)),
    Use(
        events.hot_pixels, "x", X, lambda x: events.hot_pixels(T, x, sensor_size=(4, 4), max_rate=1)
    ),
    Use(events.Binner.push, "x", X, live),
    Use(
        events.Filters.__init__,
        "mask",
        torch.eye(4) > 0,
        lambda mask: events.from_events(T, X, filters=events.Filters(mask=mask), **OPTIONS),
    ),
]
