"""Spikes with a sign: those of an ON and of an OFF channel."""

from __future__ import annotations

import torch
from torch import Tensor

from ._train import spike_train


def on_and_off(on: Tensor, off: Tensor, axis: int, dtype: torch.dtype, packed: bool) -> Tensor:
    """Two channels on an axis of their own, which is the first of the features."""
    both = torch.stack([on, off], axis)
    return spike_train(both, dtype, packed, both.dim() - axis)
