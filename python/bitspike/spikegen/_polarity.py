"""Spikes with a sign: those of an ON and of an OFF channel."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.dense_spikes import of_spikes
from bitspike.spike_tensor import SpikeTensor


def on_and_off(on: Tensor, off: Tensor, axis: int, dtype: torch.dtype, packed: bool) -> Tensor:
    """Two channels on an axis of their own, which is the first of the features."""
    both = torch.stack([on, off], axis)
    if packed:
        return SpikeTensor.from_dense(both, both.dim() - axis)
    return of_spikes(both.to(dtype))
