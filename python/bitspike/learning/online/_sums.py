"""Sums over time, of which spikes stay packed."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.spikes.tensor import SpikeTensor


def weighted_sums(x: Tensor, weights: list[list[float]]) -> Tensor:
    """``Σ_t weights[s][t]·x[t]`` of an input ``[K, B, *]``: ``[S, B, *]``."""
    table = torch.tensor(weights, dtype=x.dtype, device=x.device)
    if not isinstance(x, SpikeTensor):
        sums: Tensor = torch.tensordot(table, x, 1)
        return sums
    if len(x.features) > 1:
        return weighted_sums(x.dense(), weights)
    steps, samples = x.shape[:2]
    # A product with one column for each sample and sum: few columns, and only bits that are set.
    own = torch.eye(samples, dtype=x.dtype, device=x.device)
    columns = own[None, :, None, :] * table.t()[:, None, :, None]
    product = columns.reshape(steps * samples, -1).t() @ x.flatten(0, 1)
    return product.view(len(weights), samples, -1)
