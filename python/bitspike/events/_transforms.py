"""Frames as a transform of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bitspike.spikes.tensor import SpikeTensor

from ._binning import Binning
from ._frames import from_events


@dataclass(frozen=True, kw_only=True)
class ToPacked(Binning):
    """`from_events` as a transform: of tonic's data sets, its caches, and those of this package.

    It can be pickled, so that workers of a ``DataLoader`` take it along.

    Args:
        sensor_size: As for `from_events`.
        time_window: As for `from_events`.
        n_time_bins: As for `from_events`.
        event_count: As for `from_events`.
        polarity: As for `from_events`.
        start: As for `from_events`.
        end: As for `from_events`.
        include_incomplete: As for `from_events`.
        compat: As for `from_events`.
        filters: As for `from_events`.
        max_bytes: As for `from_events`.

    Raises:
        ValueError: for windows of no length, or more than one kind of them.

    Example:
        >>> import numpy as np
        >>> from bitspike import events
        >>> transform = events.ToPacked(sensor_size=(34, 34, 2), n_time_bins=10)
        >>> dtype = [("x", int), ("y", int), ("t", int), ("p", int)]
        >>> transform(np.array([(3, 4, 0, 1), (5, 6, 900, 0)], dtype=dtype)).shape
        torch.Size([10, 2, 34, 34])
    """

    def __call__(self, events: Any) -> SpikeTensor:
        """Packs the events of a recording, or of a structured array."""
        return from_events(events, **self.__dict__)
