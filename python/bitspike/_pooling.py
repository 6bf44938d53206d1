"""``nn.MaxPool2d`` on spikes: an OR of bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bitspike.ops import pooling
from bitspike.ops._dispatch import is_traced
from bitspike.ops._function import MaxPool
from bitspike.spike_tensor import SpikeTensor


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


def packed_sizes(x: Any, window: Any, stride: Any) -> pooling.Sizes | None:
    """The sizes of a pool on packed bits, or None if it has no packed form."""
    if not isinstance(x, SpikeTensor) or x.is_transposed or len(x.features) != 3 or not x.rows:
        return None
    if is_traced(x.words):
        return None
    channels, height, width = x.features
    stride = window if stride is None or stride in ([], ()) else stride
    sizes = ((channels, height, width), _pair(window), _pair(stride))
    return sizes if pooling.fits(sizes) else None


def _pair(value: Any) -> tuple[int, int]:
    """A size for height and one for width, as torch reads them."""
    if isinstance(value, int):
        return value, value
    return value[0], value[-1]
