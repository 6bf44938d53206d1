"""Latency coding: the larger the value, the earlier its only spike."""

from __future__ import annotations

import math
from warnings import warn

import torch
from torch import Tensor

from bitspike.one_call import one_call

from ._data import expect_between, floating
from ._ramps import latency_interpolate
from ._single_spike import single_spikes
from ._spike_times import latency_code


@one_call
def latency(
    data: Tensor,
    num_steps: int | bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    interpolate: bool = False,
    bypass: bool = False,
    epsilon: float = 1e-7,
    *,
    packed: bool = False,
) -> Tensor:
    """Latency coding: every value fires once, the earlier the larger it is.

    The spike is at step ``round(t)``, half to even, with ``t`` from `latency_code`: by default the
    time at which a membrane that the value charges reaches the threshold (Eshraghian et al., 2023,
    Proc. IEEE 111(9)).

    With the defaults the code is nearly binary: whatever is larger than 0.025 fires at the first
    step. Normalised, it is set by its latest spike, so that a single value at the threshold pushes
    all others to the first steps. ``normalize=True, linear=True`` spreads spikes evenly; a
    ``UserWarning`` says so where nine of ten different values above the threshold fire together.

    Args:
        data: ``[B, *]``, any real dtype, values from 0 to 1.
        num_steps: ``T``. Needed, unless ``bypass`` is set: then the last spike is at the last step.
        threshold: What the membrane has to reach; smaller values fire last.
        tau: Time constant of the membrane, in steps.
        first_spike_time: When a value of 1 fires, at the earliest.
        on_target: Value of a spike.
        off_target: Value of silence.
        clip: Whether values below the threshold are silent.
        normalize: Whether spikes spread over all steps.
        linear: Whether time falls linearly with the value.
        interpolate: Return ramps to the spikes (`latency_interpolate`); ``clip`` has no effect.
        bypass: Whether spikes beyond ``num_steps`` are dropped instead of an error.
        epsilon: How far above the threshold the smallest values are lifted.
        packed: Return a `SpikeTensor`, made without floats of every step.

    Returns:
        ``[T, B, *]``, in the dtype of the data (float32 for integers).

    Raises:
        ValueError: if a value lies outside 0 to 1, a spike beyond ``num_steps``, another argument
            is out of its range, or for ``packed`` with other targets than 1 and 0 or with
            ``interpolate``.

    Example:
        >>> data = torch.tensor([0.02, 0.5, 1.0])
        >>> snn.spikegen.latency(data, num_steps=5, normalize=True, linear=True)
        tensor([[0., 0., 1.],
                [0., 0., 0.],
                [0., 1., 0.],
                [0., 0., 0.],
                [1., 0., 0.]])
    """
    if packed and (interpolate or on_target != 1 or off_target != 0):
        raise ValueError(
            "packed spikes are 0 or 1: interpolate, on_target and off_target must not be given"
        )
    data = floating(data, packed=packed)
    expect_between(data, 0, 1)
    if not num_steps and not bypass:
        raise ValueError(f"num_steps must be positive, or bypass set, but is {num_steps}")
    times, below = latency_code(
        data,
        num_steps,
        threshold=threshold,
        tau=tau,
        first_spike_time=first_spike_time,
        normalize=normalize,
        linear=linear,
        epsilon=epsilon,
    )
    steps = times.round()
    last = steps.max().item() if steps.numel() else 0
    if math.isinf(last):
        raise ValueError(f"epsilon is {epsilon}, but threshold + epsilon must exceed threshold")
    num_steps = int(num_steps or last + 1)
    if last > num_steps - 1 and not bypass:
        raise ValueError(
            f"num_steps is {num_steps}, but the last spike is at step {last:.0f}: give more steps, "
            "a smaller tau, normalize=True, or bypass=True to drop it"
        )
    if not linear:
        _warn_if_binary(data, steps, threshold)
    if interpolate:
        return latency_interpolate(times, num_steps, on_target, off_target).to(data.dtype)
    fires = steps <= num_steps - 1
    if clip:
        fires = fires & ~below
    targets = (on_target, off_target)
    return single_spikes(
        steps.to(torch.int64),
        fires,
        num_steps=num_steps,
        dtype=data.dtype,
        packed=packed,
        targets=targets,
    )


def _warn_if_binary(data: Tensor, steps: Tensor, threshold: float) -> None:
    above = data > threshold
    values, steps = data[above], steps[above]
    # No warning if all values above the threshold are equal, as those of one-hot targets are.
    if not values.numel() or values.min() == values.max():
        return
    share = (steps == steps.min()).double().mean().item()
    if share >= 0.9:
        warn(
            f"{share:.0%} of the values above the threshold fire at the same step, so that latency "
            "tells little about them; normalize=True, linear=True spreads the spikes",
            UserWarning,
            stacklevel=4,
        )
