"""How events become frames: which step each is of, and what a step holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from bitspike.arguments import expect_choice
from bitspike.ops import events as ops
from bitspike.ops.events import Columns, Placed

from ._filters import Filters

LIMIT = 1 << 30
"""Bytes that frames may take."""


class Span(NamedTuple):
    """When the events of a recording are."""

    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Binning:
    """How events become frames: see `from_events` for the arguments."""

    sensor_size: tuple[int, ...] | None = None
    time_window: int | None = None
    n_time_bins: int | None = None
    event_count: int | None = None
    polarity: Literal["both", "merge", "on"] | None = None
    start: int | None = None
    end: int | None = None
    include_incomplete: bool = False
    compat: Literal["tonic"] | None = None
    filters: Filters = Filters()
    max_bytes: int = LIMIT

    def __post_init__(self) -> None:
        """Refuses what makes no sense whatever the events are."""
        windows = {
            name: getattr(self, name) for name in ("time_window", "n_time_bins", "event_count")
        }
        given = {name: length for name, length in windows.items() if length is not None}
        if len(given) != 1:
            raise ValueError(f"one of {', '.join(windows)} must be given, not {len(given)}")
        for name, length in given.items():
            if length < 1:
                raise ValueError(f"{name} must be at least 1, not {length}")
        if self.polarity is not None:
            expect_choice("polarity", self.polarity, ("both", "merge", "on"))
        if self.compat is not None:
            expect_choice("compat", self.compat, ("tonic",))
            if self.start is not None or self.end is not None:
                raise ValueError("compat='tonic' takes start and end from the events")
        if self.event_count is not None and (self.start, self.end) != (None, None):
            raise ValueError("start and end go with windows of time, not with event_count")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"start must be before end, not {self.start} and {self.end}")

    def sensor(self, found: tuple[int, int] | None) -> tuple[int, int]:
        """Width and height of the sensor, which a file may know."""
        size = found if self.sensor_size is None else self.sensor_size
        if size is None:
            raise ValueError("sensor_size must be given: (width, height)")
        if len(size) not in (2, 3) or min(size) < 1 or max(size[:2]) >= 1 << 16:
            raise ValueError(f"sensor_size must be (width, height), or with P behind, not {size}")
        return size[0], size[1]

    @property
    def planes(self) -> str:
        """What becomes of polarities; sensors of one have one plane, where it is not said."""
        polarities = (self.sensor_size or ())[2:]
        return self.polarity or ("merge" if polarities == (1,) else "both")

    @property
    def needs_span(self) -> bool:
        """Whether it must be known when events are before the first one is placed."""
        return self.event_count is None and (self.start is None or self.end is None)

    def frames(
        self, size: tuple[int, int] | None, span: Span | None, cells: ops.Cells = "bits"
    ) -> ops.Frames:
        """Frames for events of a sensor of that size, at those times."""
        return ops.Frames(self._layout(size, *self._window(span)), cells)

    def _layout(
        self, size: tuple[int, int] | None, window: ops.Window, start: int | None
    ) -> ops.Layout:
        return ops.Layout(
            self.sensor(size),
            self.planes,
            window,
            start,
            filters=self.filters.stages(),
            limit=self.max_bytes,
        )

    def opened(self, size: tuple[int, int] | None) -> ops.Frames | None:
        """Frames of as many steps as events need; None if that is not how many there are."""
        if self.event_count is not None:
            return self.frames(size, None)
        exact = self.end is not None or (self.compat is not None and self.include_incomplete)
        if self.time_window is None or exact:
            return None
        return ops.Frames(self._layout(size, ("time", self.time_window, None), self.start))

    def _window(self, span: Span | None) -> tuple[ops.Window, int | None]:
        """The window, as the native module takes it, and when it begins."""
        if self.event_count is not None:
            return ("events", self.event_count, None), None
        start = self.start if self.start is not None else span.first if span else 0
        last = self.end - 1 if self.end is not None else span.last if span else start - 1
        if self.n_time_bins is None:
            width = self.time_window or 1
            return ("time", width, self._steps(last - start, width)), start
        if self.compat is None:
            return ("share", max(last - start + 1, 1), self.n_time_bins), start
        length = (last - start) // self.n_time_bins
        if length < 1:
            # Windows of no length have no events: none is behind the end of time.
            return ("time", 1, self.n_time_bins), (1 << 63) - 1
        return ("time", length, self.n_time_bins), start

    def _steps(self, since: int, width: int) -> int:
        """How many windows there are, for the microseconds between start and the last time.

        The last event of a recording is in the last window, but does not complete it; an ``end``
        does.
        """
        if since < 0:
            return 0
        if self.include_incomplete and self.compat is not None:
            return -(-since // width)
        if self.include_incomplete:
            return since // width + 1
        return (since + (self.end is not None)) // width

    def cells(self, columns: Columns, size: tuple[int, int] | None, kind: ops.Cells) -> Cells:
        """The cells of all frames of these events."""
        span = None
        if len(columns.t):
            first, last = (int(time) for time in columns.t.aminmax())
            span = Span(first, last)
        frames = self.frames(size, span, kind)
        frames.push(columns)
        rows = frames.give(incomplete=self.include_incomplete)
        return Cells(rows, frames.features, frames.placed)


class Cells(NamedTuple):
    """Rows of frames."""

    rows: Tensor
    features: torch.Size
    placed: Placed
