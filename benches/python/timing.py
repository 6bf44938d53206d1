"""Interleaved timing: in every round each step has its turn, in alternating order.

A turn is two calls, of which the second is timed: training calls the same library again and again,
and the first call would pay for the caches and the threads that the library before has left behind.
What takes microseconds is called several times instead of once.
"""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """What each round measured: seconds, or bytes."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """What is reported."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Half the distance between the quartiles, relative to the median."""
        if len(self.values) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.values, n=4)
        return (high - low) / 2 / self.median


def interleaved(
    steps: Mapping[str, Callable[[], object]], rounds: int, calls: int = 1
) -> dict[str, Sample]:
    """Times each step ``rounds`` times, after one call that does not count.

    Each time is the mean of so many ``calls``, after as many that do not count either.
    """
    for step in steps.values():
        step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(rounds):
        order = list(steps) if round_ % 2 == 0 else list(reversed(steps))
        for name in order:
            for _ in range(calls):
                steps[name]()
            start = time.perf_counter()
            for _ in range(calls):
                steps[name]()
            seconds[name].append((time.perf_counter() - start) / calls)
    return {name: Sample(tuple(values)) for name, values in seconds.items()}


def fastest(steps: Mapping[str, Callable[[], object]], rounds: int = 3) -> str:
    """The name of the configuration of a library that it does best in."""
    samples = interleaved(steps, rounds)
    return min(samples, key=lambda name: min(samples[name].values))
