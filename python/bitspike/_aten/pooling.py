"""Average-pools of spikes by counting bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike._pooling import packed_sizes
from bitspike.ops import pooling
from bitspike.spike_tensor import SpikeTensor

aten = torch.ops.aten


def avg_pool2d(
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
    sums = pooling.sum_pool(x.words, sizes)
    return (sums / (divisor or sizes[1][0] * sizes[1][1])).to(x.dtype)


def avg_pool2d_backward(grad: Tensor, x: Any, *args: Any) -> Any:
    if isinstance(grad, SpikeTensor) or x.dim() < 4:
        return NotImplemented
    # Only the shape of the spikes counts, so that they need not be unpacked.
    shape = x.shape
    rows, maps = shape[:-3], shape[-3:]
    flat = grad.new_zeros(1).expand(rows.numel(), *maps)
    out = aten.avg_pool2d_backward(grad.reshape(rows.numel(), *grad.shape[-3:]), flat, *args)
    return out.view(shape)
