"""Targets for the rates of output neurons."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import expect_choice
from bitspike.one_call import one_call

from ._ramps import rate_interpolate
from .one_hot import to_one_hot


@one_call
def target_rate_code(
    num_steps: int,
    first_spike_time: int = 0,
    rate: float = 1,
    firing_pattern: str = "regular",
    *,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    """Spikes of one neuron that fires at a rate.

    With ``f`` the first spike time and ``r`` the rate, the patterns are

    - ``"regular"``: spikes at ``floor(f + k/r)`` for ``k = 0, 1, 2, ...``;
    - ``"uniform"``: as many spike times, drawn uniformly from ``[f, T)``, where equal ones merge;
    - ``"poisson"``: a spike with probability ``r`` at each step from ``f`` on.

    Args:
        num_steps: ``T``.
        first_spike_time: ``f``; all is silent before it.
        rate: ``r``, spikes per step, from 0 to 1.
        firing_pattern: One of the three.
        generator: Where randomness comes from; by default torch's own.

    Returns:
        Spikes ``[T]``, float32, and their steps ``[K]``, int64, in the order in which they were
        drawn.

    Raises:
        ValueError: if an argument is out of its range or the pattern unknown.

    Example:
        >>> snn.spikegen.target_rate_code(num_steps=10, rate=0.4)
        (tensor([1., 0., 1., 0., 0., 1., 0., 1., 0., 0.]), tensor([0, 2, 5, 7]))
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate must lie between 0 and 1, but is {rate}")
    _check_first(first_spike_time, num_steps)
    pattern = _checked_pattern(firing_pattern)
    spikes = torch.zeros(num_steps, dtype=torch.float32, device="cpu")
    if rate == 0:
        return spikes, spikes.new_empty(0, dtype=torch.int64)
    if pattern == "poisson":
        spikes[first_spike_time:] = rate
        spikes = torch.bernoulli(spikes, generator=generator)
        return spikes, spikes.nonzero().squeeze(-1)
    times = torch.arange(
        first_spike_time, num_steps, 1 / rate, dtype=spikes.dtype, device=spikes.device
    )
    if pattern == "uniform":
        length = num_steps - first_spike_time
        times = torch.empty_like(times).uniform_(generator=generator) * length + first_spike_time
    steps = times.to(torch.int64)
    # Rounding may lift a time to T itself.
    steps = steps[steps < num_steps]
    return spikes.scatter(0, steps, 1), steps


@one_call
def targets_rate(
    targets: Tensor,
    num_classes: int,
    num_steps: int | bool = False,
    first_spike_time: int = 0,
    correct_rate: float = 1,
    incorrect_rate: float = 0,
    on_target: float = 1,
    off_target: float = 0,
    firing_pattern: str = "regular",
    interpolate: bool = False,
    epsilon: float = 1e-7,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Targets for rates: the neuron of the class fires often, all others seldom.

    ``on_target`` stands where `target_rate_code` has a spike and ``off_target`` where not, by
    ``correct_rate`` for the neuron of the class and by ``incorrect_rate`` for the others. All
    samples share these two trains. Rates 1 and 0 do not change in time, so that without a first
    spike time there is no axis of time.

    Args:
        targets: Classes ``[B]``.
        num_classes: ``C``.
        num_steps: ``T``; needed unless rates are 1 and 0 and ``first_spike_time`` is 0.
        first_spike_time: All is ``off_target`` before it.
        correct_rate: Rate of the class, 0 to 1.
        incorrect_rate: Rate of the others, at most ``correct_rate``.
        on_target: Value of a spike.
        off_target: Value of silence.
        firing_pattern: ``"regular"``, ``"uniform"`` or ``"poisson"``.
        interpolate: Ramps to each spike, by `rate_interpolate`; without effect for rates 1 and 0.
        epsilon: See `rate_interpolate`.
        generator: Where randomness comes from; by default torch's own.

    Returns:
        float32 ``[T, B, C]``, or ``[B, C]`` as said above.

    Raises:
        ValueError: if a target is no class, an argument out of its range, or ``num_steps`` missing.

    Example:
        >>> snn.spikegen.targets_rate(torch.tensor([1]), 2, num_steps=4, correct_rate=0.5)[:, 0]
        tensor([[0., 1.],
                [0., 0.],
                [0., 1.],
                [0., 0.]])
    """
    if not 0 <= incorrect_rate <= correct_rate <= 1:
        raise ValueError(
            "rates must be 0 <= incorrect_rate <= correct_rate <= 1, but incorrect_rate is "
            f"{incorrect_rate} and correct_rate {correct_rate}"
        )
    pattern = _checked_pattern(firing_pattern)
    constant = (correct_rate, incorrect_rate) == (1, 0)
    if not num_steps and not (constant and first_spike_time == 0):
        raise ValueError(
            f"num_steps must be positive for targets that change in time, but is {num_steps}"
        )
    if num_steps:
        _check_first(first_spike_time, num_steps)
    one_hot = to_one_hot(targets, num_classes).bool()
    device = one_hot.device
    on, off = (
        torch.tensor(float(x), dtype=torch.float32, device=device) for x in (on_target, off_target)
    )
    if constant:
        values = torch.where(one_hot, on, off)
        if first_spike_time:
            values = values.repeat(int(num_steps), *(1,) * values.dim())
            values[:first_spike_time] = off
        return values

    def train(rate: float) -> Tensor:
        spikes, steps = target_rate_code(
            int(num_steps), first_spike_time, rate, pattern, generator=generator
        )
        if interpolate:
            train = rate_interpolate(steps, int(num_steps), on_target, off_target, epsilon)
            train = train.to(device)
        else:
            train = torch.where(spikes.to(device) == 1, on, off)
        return train.view(-1, *(1,) * one_hot.dim())

    return torch.where(one_hot, train(correct_rate), train(incorrect_rate))


def _checked_pattern(firing_pattern: str) -> str:
    pattern = firing_pattern.lower()
    expect_choice("firing_pattern", pattern, ("regular", "uniform", "poisson"))
    return pattern


def _check_first(first_spike_time: int, num_steps: int) -> None:
    if not 0 <= first_spike_time <= num_steps:
        raise ValueError(
            f"first_spike_time must lie between 0 and num_steps = {num_steps}, "
            f"but is {first_spike_time}"
        )
