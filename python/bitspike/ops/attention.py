"""Attention between spikes: allocation and the native call."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from . import _native, buffer
from .route import unrecorded


class Attention(NamedTuple):
    """Queries, keys and values, and how their rows are divided."""

    queries: Tensor
    """Words ``[*samples, tokens, words]``."""
    keys: Tensor
    """Likewise."""
    values: Tensor
    """Likewise."""
    neurons: int
    """Spikes of a row."""
    heads: int
    """Parts of a row, each of which attends by itself."""


@unrecorded
def attend(attention: Attention, scale: float) -> Tensor:
    """``scale · Q Kᵀ V`` for each head of each sample, float32 ``[*samples, tokens, neurons]``.

    Raises:
        ValueError: if heads do not divide a row, or sums might not be exact.
    """
    queries, keys, values, neurons, heads = attention
    *samples, tokens, _ = queries.shape
    out = buffer.empty((*samples, tokens, neurons))
    shape = math.prod(samples), tokens, neurons
    _native.attend((queries, keys, values), shape, heads, scale, out)
    return out
