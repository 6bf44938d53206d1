"""What an event camera sees of a bar that moves or turns: gestures to learn, as files AEDAT 4."""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from bitspike import events

SIDE = 64
"""Pixels of the sensor, across and down."""
LOOK = 2_000
"""Microseconds between two looks at the scene."""
GESTURES = ("right", "left", "down", "up", "clockwise", "counter-clockwise")


class Events(NamedTuple):
    """Events in the order of their times, int64 ``[events]``; ``p`` is bool."""

    t: Tensor
    """Microseconds."""
    x: Tensor
    y: Tensor
    p: Tensor


def write(
    folder: Path, recordings: int, generator: torch.Generator, shortest: int = 300
) -> list[tuple[Path, int]]:
    """Writes recordings of gestures in turn, of so many to 500 ms; returns files and labels."""
    items = []
    folder.mkdir(parents=True)
    for index in range(recordings):
        label = index % len(GESTURES)
        duration = int(torch.randint(shortest, 501, (), generator=generator))
        path = folder / f"{index:04}_{GESTURES[label]}.aedat4"
        seen = watch(label, duration, generator)
        events.write(seen, "aedat4", path, sensor_size=(SIDE, SIDE))
        items.append((path, label))
    return items


def watch(label: int, milliseconds: int, generator: torch.Generator) -> Events:
    """A gesture as events.

    A pixel fires where it has become bright or dark since the last look, ON or OFF, with a
    probability of 80 %, and up to 3 ms later. Bars are brighter than what is behind them, or
    darker, so that the order of ON and OFF does not tell where they go. Noise is 2,000 events per
    second, all over the sensor.
    """
    looks = 1_000 * milliseconds // LOOK
    bright = bar(label, looks + 1, generator).to(torch.int8)
    if torch.rand((), generator=generator) < 0.5:
        bright = 1 - bright
    change = bright[1:] - bright[:-1]
    k, y, x = change.nonzero().unbind(1)
    seen = torch.rand(len(k), generator=generator) < 0.8
    k, y, x = k[seen], y[seen], x[seen]
    t = k * LOOK + torch.randint(3_000, (len(k),), generator=generator)

    noise = 2 * milliseconds
    columns = (
        torch.cat([t, torch.randint(1_000 * milliseconds, (noise,), generator=generator)]),
        torch.cat([x, torch.randint(SIDE, (noise,), generator=generator)]),
        torch.cat([y, torch.randint(SIDE, (noise,), generator=generator)]),
        torch.cat([change[k, y, x] > 0, torch.rand(noise, generator=generator) < 0.5]),
    )
    order = columns[0].argsort()
    return Events(*(column[order] for column in columns))


def bar(label: int, looks: int, generator: torch.Generator) -> Tensor:
    """Where a bar is at each look, bool ``[looks, SIDE, SIDE]``.

    It moves by 100 to 250 pixels per second, and comes in again where it has gone out, or turns 2
    to 4 times per second. Its size, its angle and where it is at first are random.
    """

    def between(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    seconds = torch.arange(looks) * LOOK / 1e6
    length, thickness = between(24, 40), between(5, 8)
    middle = [torch.full((looks,), between(24, 40)) for _ in "xy"]
    if GESTURES[label] in ("clockwise", "counter-clockwise"):
        turns = between(2, 4) * seconds * (1 if GESTURES[label] == "clockwise" else -1)
        angle = 2 * math.pi * (between(0, 1) + turns)
    else:
        across = GESTURES[label] in ("right", "left")
        way = (between(0, SIDE + 16) + between(100, 250) * seconds) % (SIDE + 16) - 8
        middle[0 if across else 1] = SIDE - way if GESTURES[label] in ("left", "up") else way
        angle = (math.pi / 2 if across else 0) + between(-0.4, 0.4) + torch.zeros(looks)

    rows, columns = torch.meshgrid(*[torch.arange(SIDE) + 0.5] * 2, indexing="ij")
    x, y = (pixels - at.view(-1, 1, 1) for pixels, at in zip((columns, rows), middle, strict=True))
    cos, sin = angle.cos().view(-1, 1, 1), angle.sin().view(-1, 1, 1)
    along, beside = x * cos + y * sin, y * cos - x * sin
    return (along.abs() < length / 2) & (beside.abs() < thickness / 2)


def one_after_another(parts: list[Events], milliseconds: int) -> Events:
    """Gestures that each take so long, as one recording."""
    later = [
        part._replace(t=part.t + 1_000 * milliseconds * index) for index, part in enumerate(parts)
    ]
    columns = [torch.cat(column) for column in zip(*later, strict=True)]
    order = columns[0].argsort()
    return Events(*(column[order] for column in columns))
