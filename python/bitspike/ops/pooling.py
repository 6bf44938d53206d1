"""Pooling of packed feature maps: allocation and the native calls.

Rows of ``neurons = C·H·W`` spikes are int64 words ``[*rows, words(neurons)]``, in the order
``[C, H, W]`` or, with ``channels_last``, ``[H, W, C]``; results lie likewise. Windows have no
padding.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from . import _native, buffer
from .route import unrecorded
from .spikes import WORD, words


class Sizes(NamedTuple):
    """The sizes of a pool, which the native module knows by their order."""

    maps: tuple[int, int, int]
    """``(C, H, W)``"""
    window: tuple[int, int]
    stride: tuple[int, int]


def fits(sizes: Sizes) -> bool:
    """Whether there is a packed form: the window fits the map, and its width a word."""
    (_, height, width), window, stride = sizes
    return 1 <= window[0] <= height and 1 <= window[1] <= min(width, WORD) and min(stride) >= 1


def pooled(sizes: Sizes) -> tuple[int, int, int]:
    """The shape of the pooled maps."""
    (channels, *shape), window, stride = sizes
    height, width = ((size - w) // s + 1 for size, w, s in zip(shape, window, stride, strict=True))
    return channels, height, width


@unrecorded
def max_pool(packed: Tensor, sizes: Sizes, channels_last: bool) -> Tensor:
    """The words of the maxima."""
    rows = packed.shape[:-1]
    out = buffer.empty((*rows, words(math.prod(pooled(sizes)))), torch.int64)
    _native.max_pool(packed, math.prod(rows), sizes, channels_last, maxima=out)
    return out


@unrecorded
def sum_pool(packed: Tensor, sizes: Sizes, channels_last: bool) -> Tensor:
    """How many neurons of each window fire, float32 ``[*rows, C, H', W']``."""
    rows = packed.shape[:-1]
    out = _maps(rows, pooled(sizes), channels_last)
    _native.sum_pool(packed, math.prod(rows), sizes, channels_last, sums=out)
    return out.movedim(-1, len(rows)) if channels_last else out


@unrecorded
def max_pool_gradient(packed: Tensor, sizes: Sizes, channels_last: bool, grad: Tensor) -> Tensor:
    """The gradient of the neurons, float32 ``[*rows, C, H, W]``, for that of the maxima."""
    rows = packed.shape[:-1]
    out = _maps(rows, sizes.maps, channels_last)
    if channels_last:
        grad = grad.movedim(len(rows), -1)
    _native.max_pool_gradient(
        packed, math.prod(rows), sizes, channels_last, grad=grad, to_spikes=out
    )
    return out.movedim(-1, len(rows)) if channels_last else out


def _maps(rows: torch.Size, maps: tuple[int, int, int], channels_last: bool) -> Tensor:
    """Memory for the maps of some rows, in this order."""
    channels, *size = maps
    return buffer.empty((*rows, *size, channels) if channels_last else (*rows, *maps))
