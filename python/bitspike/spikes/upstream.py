"""Gradients as the native module takes them."""

from __future__ import annotations

from torch import Tensor

from .gradient import DenseGradient
from .tensor import SpikeTensor


def plain_gradient(grad: Tensor | None) -> Tensor | None:
    """A gradient as the native module takes it: plain float32, or None for zero."""
    if grad is None:
        return None
    if isinstance(grad, DenseGradient):
        grad = grad.value
    elif isinstance(grad, SpikeTensor):
        grad = grad.dense()
    return grad.float()
