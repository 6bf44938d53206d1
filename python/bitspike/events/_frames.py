"""Events to frames of bits or counts, from memory and from files."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from bitspike.ops import events as ops
from bitspike.ops.events import Columns, Placed
from bitspike.spikes.tensor import SpikeTensor, of_words

from ._binning import LIMIT, Binning, Span
from ._filters import Filters
from .columns import Recording, columns_of
from .files import Source, naming, pieces, reader_of


class Binned(NamedTuple):
    """Spikes, and what became of the events."""

    spikes: SpikeTensor
    """``[T, P, H, W]``"""
    placed: Placed


def _columns(binning: Binning, *events: Any) -> tuple[Columns, tuple[int, int] | None]:
    """Events within the sensor, and the size that a recording knows."""
    found = events[0].size if isinstance(events[0], Recording) else None
    return columns_of(*events, limits=binning.sensor(found)), found


def binned(t: Any, x: Any = None, y: Any = None, p: Any = None, **options: Any) -> Binned:
    """As `from_events`, with what became of the events: how many met, and how many were left out.

    Args:
        t: As for `from_events`.
        x: As for `from_events`.
        y: As for `from_events`.
        p: As for `from_events`.
        options: The keywords of `from_events`.

    Returns:
        Spikes ``[T, P, H, W]``, and counts of events.

    Raises:
        ValueError: as `from_events`.
        TypeError: likewise.

    Example:
        >>> from bitspike import events
        >>> found = events.binned([0, 1, 9], [2, 2, 0], sensor_size=(3, 1), n_time_bins=2)
        >>> found.placed.events, found.placed.collisions
        (3, 1)
    """
    binning = Binning(**options)
    cells = binning.cells(*_columns(binning, t, x, y, p), "bits")
    return Binned(of_words(cells.rows, cells.features), cells.placed)


def from_events(
    t: Any,
    x: Any = None,
    y: Any = None,
    p: Any = None,
    *,
    sensor_size: tuple[int, ...] | None = None,
    time_window: int | None = None,
    n_time_bins: int | None = None,
    event_count: int | None = None,
    polarity: Literal["both", "merge", "on"] | None = None,
    start: int | None = None,
    end: int | None = None,
    include_incomplete: bool = False,
    compat: Literal["tonic"] | None = None,
    filters: Filters = Filters(),  # noqa: B008 - it is frozen
    max_bytes: int = LIMIT,
) -> SpikeTensor:
    """Packs the events of a camera, in one pass and without dense frames.

    The event at ``t`` is a spike of step ``(t - start) // time_window``, or of step
    ``(t - start)·n // (end - start)`` of ``n = n_time_bins``, in whole numbers. Several events of a
    pixel and a step are one spike; `counts` counts them, and `binned` tells how many met.

    Args:
        t: Times in microseconds, in any order, integers ``[events]``; or all of the events: a
            `Recording`, or a structured array with fields ``t``, ``x``, ``y`` and ``p``, as tonic,
            expelliarmus, faery and aedat make them.
        x: Columns of pixels ``[events]``.
        y: Rows of pixels; None for a sensor of one row.
        p: Polarities: True and False, 1 and 0, or 1 and -1; None if all events are ON.
        sensor_size: ``(width, height)``, or ``(width, height, P)`` as tonic has it; by default that
            of the recording.
        time_window: Microseconds of a step.
        n_time_bins: How many steps share the time from start to end.
        event_count: How many events, in their order, make a step.
        polarity: ``"both"`` makes a plane of OFF and one of ON events, ``"merge"`` one of all,
            ``"on"`` one of ON events. By default ``"both"``, and ``"merge"`` where ``P`` is 1.
        start: When the first step begins, in microseconds; by default with the first event.
        end: When the last step has ended; by default behind the last event.
        include_incomplete: Whether the last step counts if the recording does not reach its end.
        compat: ``"tonic"`` drops what tonic's ``ToFrame`` drops: of ``n_time_bins``, events behind
            ``n`` whole windows of ``(last - first) // n``, and of ``time_window``, the last event
            if a window ends at it.
        filters: What is done with events first.
        max_bytes: The most memory that frames may take, so that a wrong time does not ask for all.

    Returns:
        Spikes ``[T, P, H, W]``.

    Raises:
        ValueError: for other numbers than whole ones, a pixel outside of the sensor, columns of
            different lengths, windows of no length, or more than one kind of them, and frames
            larger than ``max_bytes``.
        TypeError: for what cannot become a tensor.

    Example:
        >>> from bitspike import events
        >>> windows = {"time_window": 1000, "include_incomplete": True}
        >>> t, x, y, p = [0, 400, 1500], [3, 3, 0], [1, 1, 0], [1, 0, 1]
        >>> spikes = events.from_events(t, x, y, p, sensor_size=(4, 2), **windows)
        >>> spikes.shape, spikes.nonzero().tolist()
        (torch.Size([2, 2, 2, 4]), [[0, 0, 1, 3], [0, 1, 1, 3], [1, 1, 0, 0]])
    """
    return binned(
        t,
        x,
        y,
        p,
        sensor_size=sensor_size,
        time_window=time_window,
        n_time_bins=n_time_bins,
        event_count=event_count,
        polarity=polarity,
        start=start,
        end=end,
        include_incomplete=include_incomplete,
        compat=compat,
        filters=filters,
        max_bytes=max_bytes,
    ).spikes


def counts(
    t: Any,
    x: Any = None,
    y: Any = None,
    p: Any = None,
    *,
    dtype: torch.dtype = torch.uint8,
    **options: Any,
) -> Tensor:
    """How many events each pixel has in each step, where one bit would lose too much.

    Args:
        t: As for `from_events`.
        x: As for `from_events`.
        y: As for `from_events`.
        p: As for `from_events`.
        dtype: uint8, whose counts end at 255, or int16, at 32767.
        options: The keywords of `from_events`.

    Returns:
        Counts ``[T, P, H, W]``.

    Raises:
        ValueError: as `from_events`, and for another dtype.
        TypeError: likewise.

    Example:
        >>> from bitspike import events
        >>> events.counts([0, 1, 9], [2, 2, 0], sensor_size=(3, 1, 1), n_time_bins=2).tolist()
        [[[[0, 0, 2]]], [[[1, 0, 0]]]]
    """
    kinds: dict[torch.dtype, ops.Cells] = {torch.uint8: "uint8", torch.int16: "int16"}
    if dtype not in kinds:
        raise ValueError(f"dtype must be torch.uint8 or torch.int16, not {dtype}")
    binning = Binning(**options)
    cells = binning.cells(*_columns(binning, t, x, y, p), kinds[dtype])
    return cells.rows.view(-1, *cells.features)


def from_file(
    source: Source,
    format: str | None = None,
    *,
    chip: str | None = None,
    convention: str = "address",
    high_first: bool | None = None,
    **options: Any,
) -> SpikeTensor:
    """Packs the events of a file without keeping them: ``from_events(read(source))``.

    A file is read twice, for the times and for the events, where it must be known when the last one
    is: for ``n_time_bins``; and where an event is earlier than the first.

    Args:
        source: As for `read`.
        format: As for `read`.
        chip: As for `read`.
        convention: As for `read`.
        high_first: As for `read`.
        options: The keywords of `from_events`.

    Returns:
        Spikes ``[T, P, H, W]``.

    Raises:
        ValueError: as `read` and `from_events`.
        OSError: if the file cannot be opened.

    Example:
        >>> from bitspike import events
        >>> data = events.write(([0, 5, 9], [1, 2, 3], [0, 0, 0]), "evt3", sensor_size=(8, 4))
        >>> events.from_file(data, n_time_bins=3).shape
        torch.Size([3, 2, 4, 8])
    """
    binning = Binning(**options)
    reading = ops.Options(format, chip, convention, high_first)
    with naming(source):
        _, size = _look(source, reading, to_the_end=False)
        words, frames = None, binning.opened(size)
        if frames is not None:
            reader = reader_of(source, reading)
            for piece in pieces(source):
                frames.append(reader, piece)
            # The first step begins with the earliest event, which nearly always is the first.
            if binning.start is not None or not frames.placed.early:
                words = frames.give(incomplete=binning.include_incomplete)
        if frames is None or words is None:
            span, _ = _look(source, reading, to_the_end=binning.needs_span)
            frames = binning.frames(size, span)
            words = frames.fill(reader_of(source, reading), pieces(source))
        if outside := frames.placed.outside:
            width, height = binning.sensor(size)
            raise ValueError(f"{outside} events lie outside of the sensor of {width} x {height}")
    return of_words(words, frames.features)


def _look(
    source: Source, reading: ops.Options, *, to_the_end: bool
) -> tuple[Span | None, tuple[int, int] | None]:
    """When the events of a file are, if it is read to its end, and the size that it knows."""
    reader, times = reader_of(source, reading), None
    for piece in pieces(source):
        times, _ = reader.scan(piece)
        if reader.meta is not None and not to_the_end:
            break
    span = Span(*times) if times is not None and to_the_end else None
    return span, reader.meta.size if reader.meta is not None else None
