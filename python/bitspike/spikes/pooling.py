"""Pools of spikes: a maximum is an OR of bits, a mean counts them."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Size, Tensor
from torch.nn import functional as F

from bitspike.ops import pooling
from bitspike.ops.route import gradient_needs_torch, is_traced

from .tensor import SpikeTensor, of_words
from .upstream import plain_gradient

aten = torch.ops.aten


def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """``F.max_pool2d`` for a `SpikeTensor` ``[*, C, H, W]``: packed maxima, without padding.

    With other options it unpacks.
    """
    options = (padding, dilation, ceil_mode, return_indices)
    sizes = None
    if all(
        _pair(value) == _pair(plain) for value, plain in zip(options, (0, 1, 0, 0), strict=True)
    ):
        sizes = packed_sizes(input, kernel_size, stride)
    if sizes is not None and torch._C._functorch.peek_interpreter_stack() is None:
        pooled: Tensor = MaxPool.apply(input, sizes)
        return pooled
    unpacking: Any = F.max_pool2d
    if input.dim() < 5 or return_indices:
        return unpacking(input, kernel_size, stride, *options)
    maxima = unpacking(input.flatten(0, -4), kernel_size, stride, *options)
    return maxima.unflatten(0, input.shape[:-3])


def avg_pool2d(input: Any, *options: Any, **named: Any) -> Any:
    """``F.avg_pool2d`` for a `SpikeTensor` ``[*, C, H, W]``, which counts bits."""
    pool: Any = F.avg_pool2d
    if not isinstance(input, SpikeTensor) or input.dim() < 5:
        return NotImplemented
    return pool(input.flatten(0, -4), *options, **named).unflatten(0, input.shape[:-3])


def packed_sizes(x: Any, window: Any, stride: Any) -> pooling.Sizes | None:
    """The sizes of a pool on packed bits, or None if it has no packed form."""
    if not isinstance(x, SpikeTensor) or x.is_transposed or len(x.features) != 3 or not x.rows:
        return None
    if is_traced(x.words):
        return None
    channels, height, width = x.features
    stride = window if stride is None or stride in ([], ()) else stride
    sizes = pooling.Sizes((channels, height, width), _pair(window), _pair(stride))
    return sizes if pooling.fits(sizes) else None


def _pair(value: Any) -> tuple[int, int]:
    """A size for height and one for width, as torch reads them."""
    if isinstance(value, int):
        return value, value
    return value[0], value[-1]


class MaxPool(torch.autograd.Function):
    """The maxima of windows of spikes; it saves the spikes themselves, one bit each."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, sizes: pooling.Sizes) -> Tensor:
        ctx.save_for_backward(x)
        ctx.sizes = sizes
        words, last = x.words, x.channels_last  # type: ignore[attr-defined]
        maxima, maps = pooling.max_pool(words, sizes, last), Size(pooling.pooled(sizes))
        return of_words(maxima, maps, x.dtype, False, last)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None]:
        (x,) = ctx.saved_tensors
        upstream = plain_gradient(grad)
        if upstream is None:
            return None, None
        words, last = x.saved_words(), x.channels_last
        if gradient_needs_torch([upstream]):
            return _gradient_in_torch(x.dense(), ctx.sizes, upstream).to(x.dtype), None
        return pooling.max_pool_gradient(words, ctx.sizes, last, upstream).to(x.dtype), None


def _gradient_in_torch(spikes: Tensor, sizes: pooling.Sizes, grad: Tensor) -> Tensor:
    """The gradient of the spikes as torch computes it, for a gradient that autograd records."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        rows = spikes.float().flatten(0, -4).requires_grad_()
        maxima = F.max_pool2d(rows, sizes.window, sizes.stride)
        grad = grad.reshape(maxima.shape)
        (to_rows,) = torch.autograd.grad(maxima, rows, grad, create_graph=again)
    return to_rows.reshape(spikes.shape)


# Operations below autograd, for the table.


def means(
    x: SpikeTensor,
    window: list[int],
    stride: list[int] | None = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Any:
    padded = any(padding) if isinstance(padding, list | tuple) else padding
    sizes = None if padded or ceil_mode else packed_sizes(x, window, stride)
    if sizes is None:
        return NotImplemented
    sums = pooling.sum_pool(x.words, sizes, x.channels_last)
    return (sums / (divisor or math.prod(sizes.window))).to(x.dtype)


def means_backward(grad: Tensor, x: Any, *args: Any) -> Any:
    if isinstance(grad, SpikeTensor) or x.dim() < 4:
        return NotImplemented
    # Only the shape of the spikes counts, so that they need not be unpacked.
    shape = x.shape
    rows, maps = shape[:-3], shape[-3:]
    flat = grad.new_zeros(1).expand(rows.numel(), *maps)
    out = aten.avg_pool2d_backward(grad.reshape(rows.numel(), *grad.shape[-3:]), flat, *args)
    return out.view(shape)
