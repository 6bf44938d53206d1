"""Traces: what a neuron remembers of its spikes."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

Trace = float | Tensor | None
"""A trace before a step; None before the first one."""

Scale = Callable[[Tensor], Tensor | float]
"""How much a synapse changes, by its weight."""


def weight_itself(weight: Tensor) -> Tensor:
    """The default of `Scale`: a change is proportional to the weight."""
    return weight


def linear(trace: Trace, spikes: Tensor, tau: float, name: str) -> Tensor:
    """``trace - trace/tau + spikes``, which is Euler's method for an exponential decay."""
    before = 0.0 if trace is None else trace
    return before - before / positive(tau, name) + spikes


def exponential(trace: Trace, spikes: Tensor, tau: float, name: str) -> Tensor:
    """``trace·exp(-1/tau) + spikes``."""
    before = 0.0 if trace is None else trace
    return before * math.exp(-1 / positive(tau, name)) + spikes


def positive(tau: float, name: str) -> float:
    """A time constant.

    Raises:
        ValueError: if it is not positive.
    """
    if not tau > 0:
        raise ValueError(f"{name} must be a positive number of steps, not {tau}")
    return tau


def check_shape(spikes: Tensor, shape: tuple[int, ...], name: str) -> None:
    """Compares the shape of spikes with what the synapse takes or gives.

    Raises:
        ValueError: if they differ.
    """
    if spikes.shape != shape:
        raise ValueError(f"{name} must be {list(shape)} here, not {list(spikes.shape)}")
