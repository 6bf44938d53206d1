"""When a value fires: the formulas of latency coding."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import with_values
from bitspike.one_call import one_call

from ._data import floating


@one_call
def latency_code(
    data: Tensor,
    num_steps: int | bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
) -> tuple[Tensor, Tensor]:
    """Spike times by `latency_code_log`, or `latency_code_linear` with ``linear``.

    Args:
        data: ``[B, *]``, any real dtype.
        num_steps: ``T``, for ``normalize``.
        threshold: Smaller values are those which fire last.
        tau: Time constant, in steps.
        first_spike_time: The earliest spike.
        normalize: Whether spikes spread over all steps.
        linear: Whether time falls linearly with the value.
        epsilon: See `latency_code_log`.

    Returns:
        The times ``[B, *]``, not rounded, and where the data is below the threshold.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> data = torch.tensor([0.0, 0.5, 1.0])
        >>> snn.spikegen.latency_code(data, num_steps=5, normalize=True, linear=True)
        (tensor([3.9600, 2.0000, 0.0000]), tensor([ True, False, False]))
    """
    data = floating(data)
    below = data < threshold
    if linear:
        times = latency_code_linear(
            data,
            num_steps,
            threshold=threshold,
            tau=tau,
            first_spike_time=first_spike_time,
            normalize=normalize,
        )
    else:
        times = latency_code_log(
            data,
            num_steps,
            threshold=threshold,
            tau=tau,
            first_spike_time=first_spike_time,
            normalize=normalize,
            epsilon=epsilon,
        )
    return times, below


@one_call
def latency_code_linear(
    data: Tensor,
    num_steps: int | bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
) -> Tensor:
    """Spike times that fall linearly with the value: ``t = τ·(1 - max(x, θ)) + f``.

    Here ``f`` is the first spike time. To normalise, ``τ = T - 1 - f``; should times be negative
    even so, as they are for values beyond 1, they are stretched to reach from 0 to ``T - 1``.

    Args:
        data: ``[B, *]``, any real dtype.
        num_steps: ``T``, for ``normalize``.
        threshold: ``θ``; smaller values fire with it.
        tau: ``τ``, in steps.
        first_spike_time: ``f``.
        normalize: Whether spikes spread over all steps.

    Returns:
        Times ``[B, *]``, not rounded; float32 for integers and half precision.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> snn.spikegen.latency_code_linear(torch.tensor([0.25, 0.5]), tau=8)
        tensor([6., 4.])
    """
    data = _checked(
        data,
        num_steps,
        threshold=threshold,
        tau=tau,
        first_spike_time=first_spike_time,
        normalize=normalize,
    )
    if normalize:
        tau = num_steps - 1 - first_spike_time
    times = torch.clamp_max(-tau * (data - 1), -tau * (threshold - 1)) + first_spike_time
    if normalize:
        with_values(times, "data")
    if normalize and times.numel() and times.min() < 0:
        early, late = times.min(), times.max()
        # A single time has no range that could be stretched.
        scale = torch.where(late > early, 1 / (late - early), 0)
        times = (times - early) * scale * (num_steps - 1)
    return times


@one_call
def latency_code_log(
    data: Tensor,
    num_steps: int | bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    normalize: bool = False,
    epsilon: float = 1e-7,
) -> Tensor:
    """Times at which a leaky membrane reaches its threshold: ``t = τ·ln(x / (x - θ)) + f``.

    The membrane charges as ``x·(1 - exp(-t/τ))``; ``x`` is at least ``θ + ε``, since less would
    never reach the threshold ``θ``; ``f`` is the first spike time. To normalise, ``t - f`` is
    multiplied by ``(T - 1 - f) / max(t - f)``.

    Args:
        data: ``[B, *]``, any real dtype.
        num_steps: ``T``, for ``normalize``.
        threshold: ``θ``.
        tau: ``τ``, in steps.
        first_spike_time: ``f``.
        normalize: Whether spikes spread over all steps.
        epsilon: ``ε``.

    Returns:
        Times ``[B, *]``, not rounded; float32 for integers and half precision.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> snn.spikegen.latency_code_log(torch.tensor([0.5, 1.0]), threshold=0.25, tau=8)
        tensor([5.5452, 2.3015])
    """
    data = _checked(
        data,
        num_steps,
        threshold=threshold,
        tau=tau,
        first_spike_time=first_spike_time,
        normalize=normalize,
    )
    data = torch.clamp(data, threshold + epsilon)
    times = tau * torch.log(data / (data - threshold)) + first_spike_time
    if normalize and times.numel():
        late = (times - first_spike_time).max()
        stretched = (times - first_spike_time) * (num_steps - first_spike_time - 1) / late
        # Where all fire at once, there is nothing to stretch.
        times = torch.where(late > 0, stretched + first_spike_time, times)
    return times


def _checked(
    data: Tensor,
    num_steps: int | bool,
    threshold: float,
    tau: float,
    first_spike_time: int,
    normalize: bool,
) -> Tensor:
    if not 0 < threshold < 1:
        raise ValueError(f"threshold must lie between 0 and 1, but is {threshold}")
    if not tau > 0:
        raise ValueError(f"tau must be positive, but is {tau}")
    if num_steps < 0 or (normalize and not num_steps):
        raise ValueError(f"num_steps must be positive, but is {num_steps}")
    if first_spike_time < 0:
        raise ValueError(f"first_spike_time must not be negative, but is {first_spike_time}")
    if num_steps and first_spike_time > num_steps - 1:
        raise ValueError(f"first_spike_time is {first_spike_time}, but there are {num_steps} steps")
    data = floating(data)
    # θ + ε is θ in half precision.
    return data.float() if data.dtype in (torch.float16, torch.bfloat16) else data
