"""When a neuron fires, and how many spikes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from .inhibition import KWTA


class Firing(NamedTuple):
    """The firing of a neuron; its twin is ``fires`` of ``rust/core/src/neuron/step.rs``."""

    surrogate: Callable[[Tensor], Tensor]
    """The firing step with the gradient that stands in for its own."""
    fire_at: str = "gt"
    """``"gt"`` fires above the threshold, ``"ge"`` also at it."""
    spike_range: tuple[int, int] = (0, 1)
    """The lowest and the highest number of spikes per step."""
    inhibition: bool | KWTA = False
    """Which neurons compete."""

    def spikes(self, level: Tensor, threshold: Tensor) -> Tensor:
        """How many spikes a level fires, with the surrogate's gradient.

        One if it is above threshold; with another ``spike_range`` one for each multiple of the
        threshold that it is above, and minus one for each that it is below on the negative side.
        None where a `KWTA` lets other neurons win.
        """
        low, high = self.spike_range
        spikes = self._above(level - threshold)
        for multiple in range(2, high + 1):
            spikes = spikes + self._above(level - multiple * threshold)
        for multiple in range(1, 1 - low):
            spikes = spikes - self._above(-level - multiple * threshold)
        if isinstance(self.inhibition, KWTA):
            spikes = spikes * self.inhibition.winners(level - threshold)
        return spikes

    def _above(self, x: Tensor) -> Tensor:
        spikes = self.surrogate(x)
        return spikes if self.fire_at == "gt" else spikes + (x == 0)
