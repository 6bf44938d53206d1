"""Pixels that fire by themselves."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .columns import Recording, columns_of


def hot_pixels(
    t: Any,
    x: Any = None,
    y: Any = None,
    p: Any = None,
    *,
    max_rate: float,
    sensor_size: tuple[int, ...] | None = None,
) -> Tensor:
    """Pixels that have more events in a second than they should, as a mask for `Filters`.

    Args:
        t: As for `from_events`.
        x: As for `from_events`.
        y: As for `from_events`.
        p: As for `from_events`.
        max_rate: The most events of a pixel in a second, both polarities together, from the first
            event of the recording to the last.
        sensor_size: ``(width, height)``; by default that of the recording.

    Returns:
        bool ``[height, width]``, True where a pixel has more.

    Raises:
        ValueError: for a pixel outside of the sensor, or a sensor of unknown size.

    Example:
        >>> from bitspike import events
        >>> recording = [0, 1, 2, 1_000_000], [2, 2, 2, 0]
        >>> events.hot_pixels(*recording, sensor_size=(3, 1), max_rate=2.5)
        tensor([[False, False,  True]])
    """
    size = t.size if sensor_size is None and isinstance(t, Recording) else sensor_size
    if size is None:
        raise ValueError("sensor_size must be given: (width, height)")
    width, height = size[:2]
    columns = columns_of(t, x, y, p, limits=(width, height))
    pixels = columns.y.long() * width + columns.x
    found = torch.bincount(pixels, minlength=width * height).view(height, width)
    if not len(columns.t):
        return found > 0
    first, last = (int(time) for time in columns.t.aminmax())
    return found > max_rate * (last - first) / 1e6
