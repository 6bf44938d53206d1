"""Bits from and to other forms: allocation and the native calls.

Rows of ``neurons`` spikes are int64 words ``[*rows, words(neurons)]``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from bitspike import _native

from . import _buffer

WORD = 64


def words(neurons: int) -> int:
    """How many words a row of spikes takes."""
    return -(-neurons // WORD)


def _dtype_name(dtype: torch.dtype) -> str:
    return "uint8" if dtype is torch.bool else str(dtype).removeprefix("torch.")


def pack(dense: Tensor, features: int) -> tuple[Tensor, int]:
    """Packs a tensor whose last ``features`` axes are neurons.

    Returns:
        The words, and how many numbers were neither 0 nor 1.

    Raises:
        TypeError: if the dtype has no packed form.
    """
    dense = dense.contiguous()
    rows = dense.shape[: dense.dim() - features]
    neurons = math.prod(dense.shape[dense.dim() - features :])
    out = _buffer.empty((*rows, words(neurons)), torch.int64)
    name = _dtype_name(dense.dtype)
    source, target = _buffer.buffer(dense), _buffer.buffer(out)
    return out, _native.pack(name, source, math.prod(rows), neurons, target)


def unpack(packed: Tensor, neurons: int, dtype: torch.dtype) -> Tensor:
    """The spikes as zeros and ones, ``[*rows, neurons]``."""
    packed = packed.contiguous()
    rows = packed.shape[:-1]
    out = _buffer.empty((*rows, neurons), dtype)
    source, target = _buffer.buffer(packed), _buffer.buffer(out)
    _native.unpack(_dtype_name(dtype), source, math.prod(rows), neurons, target)
    return out


def count(packed: Tensor) -> int:
    """How many spikes there are."""
    return _native.count(_buffer.buffer(packed.contiguous()))


def count_axis(packed: Tensor, axis: int, neurons: int) -> Tensor:
    """How often each neuron fires along one of the axes in front of the neurons, float32."""
    packed = packed.contiguous()
    rows = packed.shape[:-1]
    outer, inner = math.prod(rows[:axis]), math.prod(rows[axis + 1 :])
    out = torch.empty((*rows[:axis], *rows[axis + 1 :], neurons))
    shape = (outer, rows[axis], inner)
    _native.count_axis(_buffer.buffer(packed), shape, neurons, _buffer.buffer(out))
    return out


def spike_times(packed: Tensor, neurons: int, count: int) -> Tensor:
    """When each neuron of ``[T, *rows]`` fires for the first, second, … time, float32.

    A spike that does not come is put at the last step.

    Returns:
        ``[count, *rows, neurons]``
    """
    packed = packed.contiguous()
    steps, *rows = packed.shape[:-1]
    out = torch.empty((count, *rows, neurons))
    source, target = _buffer.buffer(packed), _buffer.buffer(out)
    _native.spike_times(source, (steps, math.prod(rows)), neurons, target)
    return out


def spike_times_gradient(times: Tensor, grad: Tensor, steps: int) -> Tensor:
    """The gradient of ``[steps, *shape]`` spikes for that of their times ``[count, *shape]``.

    The derivative of a time with respect to the spike at that time is -1.
    """
    grad = grad.contiguous()
    shape = times.shape[1:]
    out = _buffer.empty((steps, *shape))
    addresses = (_buffer.buffer(times), _buffer.buffer(grad))
    _native.spike_times_gradient(*addresses, (steps, shape.numel()), _buffer.buffer(out))
    return out


def bernoulli(
    probabilities: Tensor, steps: int | None, generator: torch.Generator | None
) -> Tensor:
    """Random spikes for probabilities ``[B, N]`` over so many steps, or ``[T, B, N]`` for None.

    The seed comes from torch's generator; the spikes do not depend on the number of threads.
    """
    probabilities = probabilities.contiguous()
    *rows, neurons = probabilities.shape
    period = math.prod(rows)
    shape = tuple(rows) if steps is None else (steps, *rows)
    out = _buffer.empty((*shape, words(neurons)), torch.int64)
    seed = int(torch.randint(-(2**63), 2**63 - 1, (), generator=generator)) % 2**64
    source, target = _buffer.buffer(probabilities), _buffer.buffer(out)
    _native.bernoulli(seed, 0, source, period, math.prod(shape), neurons, target)
    return out


def from_events(t: Tensor, b: Tensor, n: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Words of ``[T, B, N]`` spikes at these int64 coordinates."""
    out = _buffer.empty((*shape[:2], words(shape[2])), torch.int64)
    columns = [x.contiguous() for x in (t, b, n)]
    t_, b_, n_ = (_buffer.buffer(x) for x in columns)
    _native.from_events(t_, b_, n_, shape, _buffer.buffer(out))
    return out


def to_events(packed: Tensor, neurons: int) -> tuple[Tensor, Tensor, Tensor]:
    """Step, sample and neuron of every spike of ``[T, B, words]``, sorted."""
    packed = packed.contiguous()
    t, b, n = (torch.empty(count(packed), dtype=torch.int64) for _ in range(3))
    shape = (packed.shape[0], packed.shape[1], neurons)
    addresses = [_buffer.buffer(x) for x in (t, b, n)]
    _native.to_events(_buffer.buffer(packed), shape, *addresses)
    return t, b, n
