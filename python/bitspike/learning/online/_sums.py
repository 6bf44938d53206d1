"""Sums over time, of which spikes stay packed."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.spikes.tensor import SpikeTensor


def weighted_sums(x: Tensor, weights: Tensor) -> Tensor:
    """``Σ_t weights[s][t]·x[t]`` of an input ``[K, B, *]``: ``[S, B, *]``."""
    if not isinstance(x, SpikeTensor):
        sums: Tensor = torch.tensordot(weights.to(x.dtype), x, 1)
        return sums
    if len(x.features) > 1:
        return weighted_sums(x.dense(), weights)
    steps, samples = x.shape[:2]
    columns = weights.to(x.dtype).t().unsqueeze(1)
    if samples > 1:
        # A product with one column for each sample and sum: few columns, and only set bits.
        own = torch.eye(samples, dtype=x.dtype, device=x.device)
        columns = (columns.unsqueeze(3) * own[:, None, :]).flatten(0, 1)
    product = columns.reshape(steps * samples, -1).t() @ x.flatten(0, 1)
    return product.view(len(weights), samples, -1)
