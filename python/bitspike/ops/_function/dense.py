"""Gradients as the native module takes them."""

from __future__ import annotations

from torch import Tensor

from bitspike.dense_gradient import DenseGradient
from bitspike.spike_tensor import SpikeTensor


def dense(grad: Tensor | None) -> Tensor | None:
    """A gradient as the native module takes it: plain float32, or None for zero."""
    if grad is None:
        return None
    if isinstance(grad, DenseGradient):
        grad = grad.value
    elif isinstance(grad, SpikeTensor):
        grad = grad.dense()
    return grad.float()
