"""Sums over time, of which spikes stay packed."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.ops import traces
from bitspike.spikes.tensor import SpikeTensor


def weighted_sums(x: Tensor, weights: Tensor) -> Tensor:
    """``Σ_t weights[s][t]·x[t]`` of an input ``[K, B, *]``: ``[S, B, *]``."""
    weights = weights.to(x.dtype)
    if not isinstance(x, SpikeTensor):
        sums: Tensor = torch.tensordot(weights, x, 1)
        return sums
    if len(x.features) > 1 or not x.is_cpu or x.dtype not in (torch.float32, torch.float64):
        return weighted_sums(x.dense(), weights)
    return traces.weighted_sums(x.words.contiguous(), x.neurons, weights).transpose(0, 1)
