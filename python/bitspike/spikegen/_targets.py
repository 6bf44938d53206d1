"""Targets for output neurons, by either code."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from bitspike.arguments import expect_choice
from bitspike.one_call import one_call

from ._latency import latency
from ._target_rates import targets_rate
from .one_hot import to_one_hot


@one_call
def targets_latency(
    targets: Tensor,
    num_classes: int,
    num_steps: int | bool = False,
    first_spike_time: int = 0,
    on_target: float = 1,
    off_target: float = 0,
    interpolate: bool = False,
    threshold: float = 0.01,
    tau: float = 1,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    epsilon: float = 1e-7,
    bypass: bool = False,
) -> Tensor:
    """Targets for latencies: the neuron of the class fires first, all others last.

    It is `latency` of the one-hot targets; its arguments are explained there.

    Args:
        targets: Classes ``[B]``.
        num_classes: ``C``.
        num_steps: ``T``.
        first_spike_time: When the neuron of the class fires.
        on_target: Value of a spike.
        off_target: Value of silence.
        interpolate: Ramps to each spike.
        threshold: Threshold of the membrane.
        tau: Time constant of the membrane, in steps.
        clip: Whether the other neurons are silent.
        normalize: Whether the other neurons fire at the last step.
        linear: Whether time falls linearly with the value.
        epsilon: See `latency`.
        bypass: Whether spikes beyond ``num_steps`` are dropped instead of an error.

    Returns:
        float32 ``[T, B, C]``.

    Raises:
        ValueError: if a target is no class, or as `latency` does.

    Example:
        >>> targets = torch.tensor([1])
        >>> snn.spikegen.targets_latency(targets, 2, num_steps=3, normalize=True)[:, 0]
        tensor([[0., 1.],
                [0., 0.],
                [1., 0.]])
    """
    return latency(
        to_one_hot(targets, num_classes),
        num_steps=num_steps,
        threshold=threshold,
        tau=tau,
        first_spike_time=first_spike_time,
        on_target=on_target,
        off_target=off_target,
        clip=clip,
        normalize=normalize,
        linear=linear,
        interpolate=interpolate,
        bypass=bypass,
        epsilon=epsilon,
    )


@one_call
def targets_convert(
    targets: Tensor,
    num_classes: int,
    code: Literal["rate", "latency"] = "rate",
    num_steps: int | bool = False,
    first_spike_time: int = 0,
    correct_rate: float = 1,
    incorrect_rate: float = 0,
    on_target: float = 1,
    off_target: float = 0,
    firing_pattern: str = "regular",
    interpolate: bool = False,
    epsilon: float = 1e-7,
    threshold: float = 0.01,
    tau: float = 1,
    clip: bool = False,
    normalize: bool = False,
    linear: bool = False,
    bypass: bool = False,
    *,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Targets by name of the code: `targets_rate` or `targets_latency`.

    Args:
        targets: Classes ``[B]``.
        num_classes: ``C``.
        code: ``"rate"`` or ``"latency"``.
        num_steps: ``T``.
        first_spike_time: The earliest spike.
        correct_rate: Rates only.
        incorrect_rate: Rates only.
        on_target: Value of a spike.
        off_target: Value of silence.
        firing_pattern: Rates only.
        interpolate: Ramps to each spike.
        epsilon: See the two functions.
        threshold: Latencies only.
        tau: Latencies only.
        clip: Latencies only.
        normalize: Latencies only.
        linear: Latencies only.
        bypass: Latencies only.
        generator: Rates only.

    Returns:
        float32 ``[T, B, C]``, or ``[B, C]`` for rates 1 and 0.

    Raises:
        ValueError: for another code, or as the two functions do.

    Example:
        >>> snn.spikegen.targets_convert(torch.tensor([1]), 3, on_target=0.75, off_target=0.25)
        tensor([[0.2500, 0.7500, 0.2500]])
    """
    expect_choice("code", code, ("rate", "latency"))
    if code == "rate":
        return targets_rate(
            targets,
            num_classes,
            num_steps=num_steps,
            first_spike_time=first_spike_time,
            correct_rate=correct_rate,
            incorrect_rate=incorrect_rate,
            on_target=on_target,
            off_target=off_target,
            firing_pattern=firing_pattern,
            interpolate=interpolate,
            epsilon=epsilon,
            generator=generator,
        )
    return targets_latency(
        targets,
        num_classes,
        num_steps=num_steps,
        first_spike_time=first_spike_time,
        on_target=on_target,
        off_target=off_target,
        interpolate=interpolate,
        threshold=threshold,
        tau=tau,
        clip=clip,
        normalize=normalize,
        linear=linear,
        epsilon=epsilon,
        bypass=bypass,
    )
