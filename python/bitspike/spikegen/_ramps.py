"""Targets that rise to a spike instead of jumping there."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.one_call import one_call

from ._data import floating


@one_call
def latency_interpolate(
    spike_time: Tensor, num_steps: int, on_target: float = 1, off_target: float = 0
) -> Tensor:
    """Ramps to one spike per neuron: at step ``s``, ``off + (on - off)·s/t`` up to ``s = t``.

    Behind the spike, and all the time if ``t > num_steps``, the target is ``off``. For ``t = 0`` it
    is ``on`` at step 0 and ``off`` after it.

    Args:
        spike_time: Times ``t`` ``[B, *]``, rounded half to even.
        num_steps: ``T``.
        on_target: ``on``.
        off_target: ``off``.

    Returns:
        ``[T, B, *]``, in the dtype of the times (float32 for integers).

    Raises:
        ValueError: if ``on_target`` is less than ``off_target`` or a time negative.

    Example:
        >>> snn.spikegen.latency_interpolate(torch.tensor([0, 4]), num_steps=5)
        tensor([[1.0000, 0.0000],
                [0.0000, 0.2500],
                [0.0000, 0.5000],
                [0.0000, 0.7500],
                [0.0000, 1.0000]])
    """
    if on_target < off_target:
        raise ValueError(f"on_target is {on_target}, less than off_target {off_target}")
    times = floating(spike_time, "spike_time").round()
    with_values(times, "spike_time")
    if (times < 0).any():
        raise ValueError(f"spike_time must not be negative, but reaches {times.min().item():.0f}")
    steps = torch.arange(num_steps, dtype=times.dtype, device=times.device)
    steps = steps.view(-1, *(1,) * times.dim())
    # A reciprocal and a product, as in snnTorch: the quotient has other last bits.
    part = torch.where(times > 0, times.reciprocal() * steps, 1)
    ramp = (part * (on_target - off_target) + off_target).clamp(max=on_target)
    return torch.where((steps > times) | (times > num_steps), off_target, ramp).to(times.dtype)


@one_call
def rate_interpolate(
    spike_time: Tensor,
    num_steps: int,
    on_target: float = 1,
    off_target: float = 0,
    epsilon: float = 1e-7,
) -> Tensor:
    """Ramps between the spikes of one neuron: from ``off`` after a spike to ``on`` at the next.

    A spike that follows another at once is ``on``; after the last spike the target is ``off``.

    Args:
        spike_time: Steps of the spikes, whole numbers ``[K]``, in any order; those beyond
            ``num_steps`` have no effect.
        num_steps: ``T``.
        on_target: ``on``.
        off_target: ``off``.
        epsilon: How far a ramp may overshoot in rounding.

    Returns:
        ``[T]``, float32.

    Raises:
        ValueError: if ``on_target`` is not greater than ``off_target``, or a time negative or not
            whole.

    Example:
        >>> snn.spikegen.rate_interpolate(torch.tensor([1, 4]), num_steps=7)
        tensor([0.0000, 1.0000, 0.0000, 0.5000, 1.0000, 0.0000, 0.0000])
    """
    if on_target <= off_target:
        raise ValueError(f"on_target is {on_target}, not greater than off_target {off_target}")
    spike_time = as_tensor(spike_time, "spike_time")
    with_values(spike_time, "spike_time")
    times = spike_time.to(torch.int64)
    if ((times < 0) | (times != spike_time)).any():
        raise ValueError(f"spike_time must hold steps 0, 1, 2, ..., but holds {spike_time}")
    targets = torch.full(
        (num_steps,), float(off_target), dtype=torch.float32, device=spike_time.device
    )
    start = 0
    for step in sorted({int(time) for time in times.flatten() if time < num_steps}):
        targets[step] = on_target
        if step > start:
            slope = (on_target - off_target) / (step - start)
            ramp = torch.arange(
                off_target, on_target + epsilon, slope, dtype=torch.float32, device=targets.device
            )
            ramp = ramp[: step - start + 1]
            targets[start : start + len(ramp)] = ramp
        start = step + 1
    return targets
