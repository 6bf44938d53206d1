"""Bits from and to other forms: allocation and the native calls.

Rows of ``neurons`` spikes are int64 words ``[*rows, words(neurons)]``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from . import _native, buffer
from .route import routed, unrecorded

WORD = 64


def words(neurons: int) -> int:
    """How many words a row of spikes takes."""
    return -(-neurons // WORD)


@unrecorded
def pack(dense: Tensor, features: int) -> tuple[Tensor, int]:
    """Packs a tensor whose last ``features`` axes are neurons.

    Returns:
        The words, and how many numbers were neither 0 nor 1.

    Raises:
        TypeError: if the dtype has no packed form.
    """
    rows = dense.shape[: dense.dim() - features]
    neurons = math.prod(dense.shape[dense.dim() - features :])
    out = buffer.empty((*rows, words(neurons)), torch.int64)
    return out, _native.pack(dense, math.prod(rows), neurons, out)


@routed(0)
def unpack(packed: Tensor, neurons: int, dtype: torch.dtype) -> Tensor:
    """The spikes as zeros and ones, ``[*rows, neurons]``."""
    rows = packed.shape[:-1]
    out = buffer.empty((*rows, neurons), dtype)
    _native.unpack(packed, math.prod(rows), neurons, out)
    return out


@routed(0)
def swap_axes(packed: Tensor, outer: int, inner: int) -> Tensor:
    """Rows ``[outer, inner]`` of spikes as rows ``[inner, outer]``."""
    out = buffer.empty(tuple(packed.shape), torch.int64)
    _native.swap_axes(packed, math.prod(packed.shape[:-1]), (outer, inner), out)
    return out


@unrecorded
def count(packed: Tensor) -> int:
    """How many spikes there are."""
    return _native.count(packed)


@routed(0)
def count_axis(packed: Tensor, axis: int, neurons: int) -> Tensor:
    """How often each neuron fires along one of the axes in front of the neurons, float32."""
    rows = packed.shape[:-1]
    outer, inner = math.prod(rows[:axis]), math.prod(rows[axis + 1 :])
    out = buffer.empty((*rows[:axis], *rows[axis + 1 :], neurons))
    _native.count_axis(packed, (outer, rows[axis], inner), neurons, out)
    return out


@unrecorded
def spike_times(packed: Tensor, neurons: int, count: int) -> Tensor:
    """When each neuron of ``[T, *rows]`` fires for the first, second, … time, float32.

    A spike that does not come is put at the last step.

    Returns:
        ``[count, *rows, neurons]``
    """
    steps, *rows = packed.shape[:-1]
    out = buffer.empty((count, *rows, neurons))
    _native.spike_times(packed, (steps, math.prod(rows)), neurons, out)
    return out


@unrecorded
def spike_times_gradient(times: Tensor, grad: Tensor, steps: int) -> Tensor:
    """The gradient of ``[steps, *shape]`` spikes for that of their times ``[count, *shape]``.

    The derivative of a time with respect to the spike at that time is -1.
    """
    shape = times.shape[1:]
    out = buffer.empty((steps, *shape))
    _native.spike_times_gradient(times, grad, (steps, shape.numel()), out)
    return out


@unrecorded
def bernoulli(
    probabilities: Tensor, steps: int | None, generator: torch.Generator | None
) -> Tensor:
    """Random spikes for probabilities ``[B, N]`` over so many steps, or ``[T, B, N]`` for None.

    The seed comes from torch's generator; the spikes do not depend on the number of threads.
    """
    *rows, neurons = probabilities.shape
    period = math.prod(rows)
    shape = tuple(rows) if steps is None else (steps, *rows)
    out = buffer.empty((*shape, words(neurons)), torch.int64)
    seed = torch.randint(
        -(2**63), 2**63 - 1, (), generator=generator, dtype=torch.int64, device=buffer.CPU
    )
    number = int(seed) % 2**64
    _native.bernoulli(
        number,
        0,
        probabilities=probabilities,
        period=period,
        rows=math.prod(shape),
        neurons=neurons,
        words=out,
    )
    return out


@unrecorded
def from_events(t: Tensor, b: Tensor, n: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Words of ``[T, B, N]`` spikes at these int64 coordinates."""
    out = buffer.empty((*shape[:2], words(shape[2])), torch.int64)
    _native.from_events(t, b, n, shape, out)
    return out


@unrecorded
def to_events(packed: Tensor, neurons: int) -> tuple[Tensor, Tensor, Tensor]:
    """Step, sample and neuron of every spike of ``[T, B, words]``, sorted."""
    events = count(packed)
    t, b, n = (buffer.empty((events,), torch.int64) for _ in range(3))
    _native.to_events(packed, (packed.shape[0], packed.shape[1], neurons), t, b, n)
    return t, b, n
