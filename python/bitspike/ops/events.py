"""Recordings of event cameras, and frames of their events: allocation and the native calls.

What the formats are is said by ``rust/core/src/events/mod.rs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from . import _native, buffer
from .route import unrecorded

FORMATS = tuple(_native.event_formats())
"""The names of all formats."""

Cells = Literal["bits", "uint8", "int16"]
"""What frames are made of: words of bits, or counts."""
DTYPES = {"bits": torch.int64, "uint8": torch.uint8, "int16": torch.int16}


class Columns(NamedTuple):
    """Events, a tensor for each of their properties."""

    t: Tensor
    """Microseconds, int64."""
    x: Tensor
    """int16"""
    y: Tensor
    """int16"""
    p: Tensor
    """ON or OFF, bool."""


class Options(NamedTuple):
    """How a file is read or written where it does not say so; the native module knows the order."""

    format: str | None = None
    chip: str | None = None
    convention: str = "address"
    high_first: bool | None = None
    compression: str = "none"


class Meta(NamedTuple):
    """What a file says of itself."""

    format: str
    size: tuple[int, int] | None
    """Width and height of the sensor."""
    start: str | None
    """When the recording began, as the header has it."""


class Report(NamedTuple):
    """What was found in a file."""

    events: int
    dropped: int
    """Events without a time or a row, marked as invalid, or of no pixel."""
    ignored: int
    """Records of other kinds: triggers, frames, what a vendor adds."""
    tail: int
    """Bytes at the end that are no whole record."""


class Placed(NamedTuple):
    """What became of events on their way to frames."""

    events: int
    """Events in frames."""
    collisions: int
    """Of these, those whose bit was set already, or whose count was at its end."""
    outside: int
    """Events of no pixel."""
    early: int
    """Events before the first step, or of steps that were given away."""
    late: int
    """Events behind the last step."""
    filtered: int
    """Events that filters dropped."""


Window = tuple[str, int, int | None]
"""A kind and its length, ``"time"`` and microseconds, ``"share"`` and microseconds of all steps, or
``"events"`` and how many; and how many steps there are."""


class Layout(NamedTuple):
    """What frames are to be."""

    sensor: tuple[int, int]
    polarity: str
    window: Window
    start: int | None
    filters: Sequence[tuple[str, Any]]
    limit: int
    """The most bytes that frames, or what filters remember, may take."""


def format_of(data: bytes) -> str | None:
    """The format of a file that begins with these bytes; None if more of them are needed.

    Raises:
        ValueError: if it is none with a header.
    """
    return _native.event_format(data)


class Reader:
    """A recording that is read in pieces; None in place of a piece is its end.

    Raises:
        ValueError: for options that do not exist; each method, for what is wrong with the file.
    """

    def __init__(self, options: Options) -> None:
        self.native = _native.EventReader(options)

    def push(self, data: bytes | None) -> Columns:
        """The events of the next piece."""
        count = self.native.push(data)
        columns = empty(count)
        self.native.take(*columns)
        return columns

    def scan(self, data: bytes | None) -> tuple[tuple[int, int] | None, int]:
        """Looks at the next piece: the first and the last time so far, and how many events."""
        return self.native.scan(data)

    @property
    def meta(self) -> Meta | None:
        """What the file says of itself, once its header was read."""
        meta = self.native.meta()
        return None if meta is None else Meta(*meta)

    @property
    def report(self) -> Report:
        """What was found so far."""
        return Report(*self.native.report())


def empty(count: int) -> Columns:
    """Columns of so many events, not initialised."""
    dtypes = (torch.int64, torch.int16, torch.int16, torch.bool)
    return Columns(*(buffer.empty((count,), dtype) for dtype in dtypes))


class Writer:
    """A recording that is written in pieces.

    Raises:
        ValueError: for options that do not exist; each method, for events that do not fit.
    """

    def __init__(self, format: str, size: tuple[int, int] | None, options: Options) -> None:
        self._native = _native.EventWriter(format, size, options)

    def write(self, columns: Columns) -> bytes:
        """The bytes of more events."""
        return self._native.write(*columns)

    def finish(self) -> bytes:
        """The bytes that were held back."""
        return self._native.finish()


class Frames:
    """Frames that are being filled.

    Raises:
        ValueError: for a layout that makes no sense, or whose frames would be too large.
    """

    def __init__(self, layout: Layout, cells: Cells = "bits") -> None:
        self._native = _native.EventFrames(
            layout.sensor,
            layout.polarity,
            layout.window,
            start=layout.start,
            cells=cells,
            filters=layout.filters,
            limit=layout.limit,
        )
        self._dtype = DTYPES[cells]
        planes = 2 if layout.polarity == "both" else 1
        width, height = self._native.size
        self.features = torch.Size((planes, height, width))

    @property
    def placed(self) -> Placed:
        """What became of events so far."""
        return Placed(*self._native.placed())

    def push(self, columns: Columns) -> None:
        """Adds events."""
        _push(self._native, columns)

    def append(self, reader: Reader, data: bytes | None) -> None:
        """Adds the events of a piece of a recording, where steps are as many as they need."""
        self._native.append(reader.native, data)

    def fill(self, reader: Reader, pieces: Any) -> Tensor:
        """The cells of all steps, with the events of all pieces of a recording."""
        out = buffer.empty((self._native.steps(True), self._native.row), self._dtype).zero_()
        for piece in pieces:
            self._native.read(reader.native, piece, out)
        return out

    def reach(self, time: int) -> None:
        """Says that no event before this time is to come."""
        self._native.reach(time)

    def give(self, *, incomplete: bool) -> Tensor:
        """The cells of all steps, with those that may get more events or without: ``[T, cells]``.

        Steps that were given are no longer there.
        """
        steps = self._native.steps(incomplete)
        out = buffer.empty((steps, self._native.row), self._dtype)
        self._native.give(steps, out)
        return out


@unrecorded
def _push(frames: _native.EventFrames, columns: Columns) -> None:
    frames.push(*columns)
