"""Interleaved timing: in every round each step has its turn, in alternating order.

The first half of the calls of a turn is not timed: training calls the same library again and again,
and they pay for the caches and the threads that the library before has left behind. What takes
microseconds is called many times in a turn.
"""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# Seconds that a turn lasts at least, unless that takes too many calls.
TURN = 0.01
MOST_CALLS = 50


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


def interleaved(steps: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Sample]:
    """Times each step ``rounds`` times, after one call that does not count."""
    for step in steps.values():
        step()
    calls = {}
    for name, step in steps.items():
        once = mean_seconds(step, 1)
        calls[name] = min(MOST_CALLS, math.ceil(TURN / once))
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(rounds):
        order = list(steps) if round_ % 2 == 0 else list(reversed(steps))
        for name in order:
            mean_seconds(steps[name], calls[name])
            seconds[name].append(mean_seconds(steps[name], calls[name]))
    return {name: Sample(tuple(values)) for name, values in seconds.items()}


def mean_seconds(step: Callable[[], object], calls: int) -> float:
    """The mean of so many calls in a row."""
    start = time.perf_counter()
    for _ in range(calls):
        step()
    return (time.perf_counter() - start) / calls


def fastest(steps: Mapping[str, Callable[[], object]], rounds: int = 3) -> str:
    """The name of the configuration of a library that it does best in."""
    samples = interleaved(steps, rounds)
    return min(samples, key=lambda name: min(samples[name].values))
