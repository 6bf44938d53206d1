"""Which class a recording ``[T, B, C]`` speaks for: the formulas of decoders and accuracies.

Of equal classes the one with the lowest index wins everywhere. Of a sample only the steps in front
of its end count, where ``lengths`` says one.
"""

from __future__ import annotations

from torch import Tensor

from .lengths import last_step, step_count
from .recordings import class_counts, pooled, spike_times


def most_spikes(
    spikes: Tensor,
    population_code: bool = False,
    num_classes: int | bool = False,
    lengths: Tensor | None = None,
) -> Tensor:
    """The class that fires most, int64 ``[B]``; packed spikes are counted as bits."""
    return class_counts(spikes, population_code, num_classes, lengths).argmax(1)


def first_spike(
    spikes: Tensor,
    population_code: bool = False,
    num_classes: int | bool = False,
    silent_fires: bool = True,
    lengths: Tensor | None = None,
) -> Tensor:
    """The class that fires first, int64 ``[B]``."""
    return class_times(spikes, population_code, num_classes, silent_fires, lengths).argmin(1)


def most_spikes_earliest(
    spikes: Tensor,
    population_code: bool = False,
    num_classes: int | bool = False,
    lengths: Tensor | None = None,
) -> Tensor:
    """The class that fires most, and of those that fire equally often the one that began first."""
    counts = class_counts(spikes, population_code, num_classes, lengths)
    times = class_times(spikes, population_code, num_classes, False, lengths)
    fewer = counts < counts.amax(1, keepdim=True)
    return times.masked_fill(fewer, spikes.shape[0] + 1).argmin(1)


def class_times(
    spikes: Tensor,
    population_code: bool,
    num_classes: int | bool,
    silent_fires: bool,
    lengths: Tensor | None = None,
) -> Tensor:
    """First spike time of each class, ``[B, K]``: that of its earliest neuron.

    A silent neuron fires at the last step, or, if it does not, one step behind it.
    """
    times = spike_times(spikes, 1, lengths)[0]
    if not silent_fires:
        # The sum over one step is that step, which packed spikes give without being unpacked.
        fires_last = last_step(spikes, lengths).sum(0) > 0
        silent = (times == step_count(spikes, lengths) - 1) & ~fires_last
        times = times + silent
    return pooled(times, num_classes).amin(-1) if population_code else times
