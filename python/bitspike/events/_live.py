"""Events that come as they happen."""

from __future__ import annotations

from typing import Any, Literal

from bitspike.ops.events import Placed
from bitspike.spikes.tensor import SpikeTensor, of_words

from ._binning import LIMIT, Binning
from ._filters import Filters
from .columns import columns_of


class Binner:
    """Packs the events of a camera that is running, step by step.

    Each step of the result is one input of `bitspike.stream`, and all of them together are those of
    `from_events`. A step is complete once an event of a later one has come. Events that come when
    their step was returned already are left out, and `placed` counts them as early.

    Args:
        sensor_size: ``(width, height)``, or ``(width, height, P)``.
        time_window: Microseconds of a step.
        start: When the first step begins; by default with the first event.
        polarity: As for `from_events`.
        filters: As for `from_events`.
        max_bytes: The most memory of steps at a time: a silence makes empty ones.

    Raises:
        ValueError: as `from_events`.

    Example:
        >>> from bitspike import events
        >>> binner = events.Binner((4, 1), 1000, start=0)
        >>> binner.push([100, 900], [1, 2]).shape
        torch.Size([0, 1, 2, 1, 4])
        >>> binner.push([1100, 3000], [1, 2]).sum((1, 2, 3, 4))
        tensor([2., 1., 0.])
        >>> binner.flush().shape
        torch.Size([1, 1, 2, 1, 4])
    """

    def __init__(
        self,
        sensor_size: tuple[int, ...],
        time_window: int,
        *,
        start: int | None = None,
        polarity: Literal["both", "merge", "on"] | None = None,
        filters: Filters = Filters(),  # noqa: B008 - it is frozen
        max_bytes: int = LIMIT,
    ) -> None:
        options = Binning(
            sensor_size=sensor_size,
            time_window=time_window,
            start=start,
            polarity=polarity,
            filters=filters,
            max_bytes=max_bytes,
        )
        self._sensor = options.sensor(None)
        frames = options.opened(None)
        assert frames is not None, "windows of time without an end"
        self._frames = frames

    @property
    def placed(self) -> Placed:
        """What became of the events so far."""
        return self._frames.placed

    def push(self, t: Any, x: Any = None, y: Any = None, p: Any = None) -> SpikeTensor:
        """Adds events, and returns the steps that are complete: ``[steps, 1, P, H, W]``.

        Args:
            t: As for `from_events`.
            x: As for `from_events`.
            y: As for `from_events`.
            p: As for `from_events`.

        Raises:
            ValueError: as `from_events`, and for a silence whose steps are larger than
                ``max_bytes``.
            TypeError: likewise.
        """
        self._frames.push(columns_of(t, x, y, p, limits=self._sensor))
        return self._given(incomplete=False)

    def flush(self, until: int | None = None) -> SpikeTensor:
        """Returns the steps that end by this time, or all that have begun.

        Args:
            until: Microseconds: no event before is to come.

        Raises:
            ValueError: for steps that are larger than ``max_bytes``.
        """
        if until is not None:
            self._frames.reach(until)
        return self._given(incomplete=until is None)

    def _given(self, *, incomplete: bool) -> SpikeTensor:
        words = self._frames.give(incomplete=incomplete)
        return of_words(words.unsqueeze(1), self._frames.features)
