"""Traces: what a neuron remembers of its spikes."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, as_tensor_like

Trace = float | Tensor | None
"""A trace before a step; None before the first one."""

Scale = Callable[[Tensor], Tensor | float]
"""How much a synapse changes, by its weight."""


def weight_itself(weight: Tensor) -> Tensor:
    """The default of `Scale`: a change is proportional to the weight."""
    return weight


def linear(trace: Trace, spikes: Tensor, tau: float, side: str) -> Tensor:
    """``trace - trace/tau + spikes``, which is Euler's method for an exponential decay."""
    before = _before(trace, spikes, side)
    return before - before / positive(tau, f"tau_{side}") + spikes


def exponential(trace: Trace, spikes: Tensor, tau: float, side: str) -> Tensor:
    """``trace·exp(-1/tau) + spikes``."""
    before = _before(trace, spikes, side)
    return before * math.exp(-1 / positive(tau, f"tau_{side}")) + spikes


def _before(trace: Trace, spikes: Tensor, side: str) -> Tensor | float:
    if trace is None or isinstance(trace, int | float):
        return trace or 0.0
    before = as_tensor_like(trace, f"trace_{side}", spikes)
    try:
        return before.expand(spikes.shape)
    except RuntimeError:
        raise ValueError(
            f"trace_{side} must be {list(spikes.shape)} as the spikes, not {list(before.shape)}"
        ) from None


def positive(tau: float, name: str) -> float:
    """A time constant.

    Raises:
        ValueError: if it is not positive.
    """
    if not tau > 0:
        raise ValueError(f"{name} must be a positive number of steps, not {tau}")
    return tau


def both_sides(
    synapse: nn.Linear | nn.Conv1d | nn.Conv2d, in_spike: Tensor, out_spike: Tensor
) -> tuple[Tensor, Tensor]:
    """The spikes of both sides as tensors of one dtype, in which the weight loses nothing.

    Raises:
        TypeError: if they are no dense tensors of real numbers, and nothing that becomes one.
    """
    weight = synapse.weight
    spikes = [
        as_tensor(x, name, weight.device)
        for name, x in (("in_spike", in_spike), ("out_spike", out_spike))
    ]
    dtype = weight.dtype
    for x in spikes:
        dtype = torch.promote_types(dtype, x.dtype)
    first, second = (x.to(dtype) for x in spikes)
    return first, second


def check_shape(spikes: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Compares the shape of spikes with what the synapse takes or gives.

    Raises:
        ValueError: if they differ.
    """
    if spikes.shape != shape:
        raise ValueError(f"{name} must be {list(shape)} here, not {list(spikes.shape)}")
