"""Traces of spikes and synapses that learn from them: allocation and the native calls.

Spikes are words ``[T, B, words]``. Traces, gains and weights ``[outputs, inputs]`` are all float32
or all float64. What the numbers mean is said in ``rust/core/src/traces``.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from . import _native, buffer
from .route import unrecorded


class TraceArguments(NamedTuple):
    """A trace as the native module takes it, which knows these by their order."""

    forgets: float
    """What remains of it after a step; its time constant with ``euler``."""
    euler: bool
    """Whether it is ``x - x/τ`` after a step."""
    nearest: bool
    """Whether a spike sets it to 1 instead of adding 1."""
    after: bool
    """Whether it is read after the spike of its own neuron at the same step."""


class SideArguments(NamedTuple):
    """The neurons on one side of synapses, likewise."""

    neurons: int
    words: Tensor
    """Their spikes."""
    trace: Tensor
    """What spikes of the other side meet, ``[T, B, neurons]``."""
    gain: Tensor | None
    """How much a spike counts, ``[T, B, neurons]``; None is 1."""


class PairArguments(NamedTuple):
    """Both sides, likewise."""

    steps: int
    samples: int
    pre: SideArguments
    post: SideArguments


class LearningArguments(NamedTuple):
    """How weights change: ``W + rate·((r₀ + r₁·W)·P - (f₀ + f₁·W)·D)``, likewise."""

    rate: float
    rise: tuple[float, float]
    fall: tuple[float, float]
    bounds: tuple[float, float]


@unrecorded
def filtered(
    words: Tensor, neurons: int, trace: TraceArguments, state: Tensor
) -> tuple[Tensor, Tensor]:
    """The trace of every neuron at every step, ``[T, B, neurons]``, and what it is at the end.

    Args:
        words: The spikes.
        neurons: How many a row has.
        trace: Which trace.
        state: What it was before, ``[B, neurons]``.
    """
    steps, samples = words.shape[:2]
    last = _copy(state)
    out = buffer.empty((steps, samples, neurons), state.dtype)
    _native.traces_filter(words, (steps, samples, neurons), trace, state=last, out=out)
    return out, last


@unrecorded
def weighted_sums(words: Tensor, neurons: int, weights: Tensor) -> Tensor:
    """``Σ_t weights[k][t]·x[t]``, ``[B, K, neurons]``: what is left of each spike in ``K`` traces.

    Args:
        words: The spikes.
        neurons: How many a row has.
        weights: How much is left after the last step of a spike at each step, ``[K, T]``.
    """
    steps, samples = words.shape[:2]
    out = buffer.empty((samples, len(weights), neurons), weights.dtype)
    shape = steps, samples, neurons
    _native.traces_weighted_sums(words, shape, len(weights), weights=weights, sums=out)
    return out


@unrecorded
def learned(pairs: PairArguments, rule: LearningArguments, weights: Tensor) -> Tensor:
    """What becomes of weights that change at every step."""
    out = _copy(weights)
    _native.traces_learn(pairs, rule, out)
    return out


@unrecorded
def summed(pairs: PairArguments, rise: Tensor, fall: Tensor, total: Tensor) -> Tensor:
    """``total + Σ_t (rise·P - fall·D)``: by what weights would change that stay as they are."""
    out = _copy(total)
    _native.traces_sum(pairs, rise, fall=fall, sums=out)
    return out


def _copy(x: Tensor) -> Tensor:
    return buffer.empty(tuple(x.shape), x.dtype).copy_(x)
