"""Schedules: numbers that move from one value to another in a number of steps, and stay there."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule(ABC):
    """From ``start`` to ``stop`` in ``steps`` steps; callable with the number of steps made.

    Args:
        start: The value at step 0.
        stop: The value from step ``steps`` on.
        steps: How many steps the way takes.

    Raises:
        ValueError: if ``steps`` is not positive.
    """

    start: float
    stop: float
    steps: int

    def __post_init__(self) -> None:
        """Checks the number of steps."""
        if not self.steps > 0:
            raise ValueError(f"steps must be positive, not {self.steps}")

    def __call__(self, step: int) -> float:
        """The value at that step."""
        return self.stop if step >= self.steps else self._between(step / self.steps)

    @abstractmethod
    def _between(self, share: float) -> float:
        """The value after that share of the way, in ``[0, 1)``."""


@dataclass(frozen=True)
class Linear(Schedule):
    """``start + (stop - start)·s`` with ``s = step/steps``: equal differences.

    Example:
        >>> [snn.surrogate.schedule.Linear(1.0, 25.0, steps=4)(i) for i in range(6)]
        [1.0, 7.0, 13.0, 19.0, 25.0, 25.0]
    """

    def _between(self, share: float) -> float:
        return self.start + (self.stop - self.start) * share


@dataclass(frozen=True)
class Exponential(Schedule):
    """``start·(stop/start)^s`` with ``s = step/steps``: equal ratios.

    Raises:
        ValueError: if ``start`` or ``stop`` is not positive.

    Example:
        >>> [snn.surrogate.schedule.Exponential(1.0, 16.0, steps=4)(i) for i in range(6)]
        [1.0, 2.0, 4.0, 8.0, 16.0, 16.0]
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("start", self.start), ("stop", self.stop)):
            if not value > 0:
                raise ValueError(f"{name} must be positive, not {value}")

    def _between(self, share: float) -> float:
        return float(self.start * (self.stop / self.start) ** share)


@dataclass(frozen=True)
class Cosine(Schedule):
    """``stop + (start - stop)·(1 + cos(π·s))/2`` with ``s = step/steps``: slow at both ends.

    The form of Loshchilov and Hutter (2017), who anneal learning rates.

    Example:
        >>> [round(snn.surrogate.schedule.Cosine(1.0, 25.0, steps=4)(i), 2) for i in range(6)]
        [1.0, 4.51, 13.0, 21.49, 25.0, 25.0]
    """

    def _between(self, share: float) -> float:
        return self.stop + (self.start - self.stop) * (1 + math.cos(math.pi * share)) / 2
