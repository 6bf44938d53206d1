"""Dense spikes as bits, and ``nn.Linear`` on them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bitspike.ops import matmul
from bitspike.ops import spikes as ops
from bitspike.ops._dispatch import is_traced
from bitspike.ops._function import Linear, Pack
from bitspike.spike_tensor import SpikeTensor, of_words


def linear(input: Any, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``F.linear`` for a `SpikeTensor`: in one call if it is a plain float32 layer."""
    if _is_plain(input, weight, bias):
        out: Tensor = Linear.apply(input, weight, bias)
        return out
    return F.linear(input, weight, bias)


def _is_plain(x: Any, weight: Any, bias: Any) -> bool:
    """Whether the layer has the usual shapes, in float32, with nobody looking on."""
    if not isinstance(x, SpikeTensor) or x.is_transposed or len(x.features) != 1 or x.dim() < 2:
        return False
    tensors = [weight] if bias is None else [weight, bias]
    if any(map(is_traced, (x.words, *tensors))) or any(
        t.dtype != torch.float32 for t in (x, *tensors)
    ):
        return False
    if torch.is_autocast_enabled("cpu") or torch._C._functorch.peek_interpreter_stack() is not None:
        return False
    shapes = [(weight.shape[0], x.shape[-1]), weight.shape[:1]] if weight.dim() == 2 else []
    return all(t.is_cpu for t in tensors) and [t.shape for t in tensors] == shapes[: len(tensors)]


def packed(spikes: Tensor, features: int | None = None) -> Tensor:
    """A sequence as bits, or as it is if it holds another value than 0 and 1.

    Args:
        spikes: ``[T, B, *]``
        features: How many trailing axes are one row of neurons; by default those behind the first
            two, but at least one.
    """
    features = max(spikes.dim() - 2, 1) if features is None else features
    words, others = ops.pack(spikes.detach(), features)
    if others:
        return spikes
    return _with_gradient(spikes, words)


def _with_gradient(x: Tensor, words: Tensor) -> Tensor:
    """The packed form of dense spikes, whose words are given, with their gradient."""
    if x.requires_grad and torch.is_grad_enabled():
        bits: Tensor = Pack.apply(x, words, x.dim() - words.dim() + 1)
        return bits
    return of_words(words, x.shape[words.dim() - 1 :])


def packed_if_faster(x: Tensor, weight: Any) -> Tensor:
    """Floats that may be spikes, as bits if a linear layer is faster with them."""
    inputs, outputs = x.shape[-1] if x.dim() else 0, weight.shape[0]
    rows = x.numel() // inputs if inputs else 0
    if not (x.is_cpu and x.dtype == weight.dtype == torch.float32) or weight.dim() != 2:
        return x
    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        return x
    if matmul.prefers_dense(None, rows, inputs, outputs):
        return x
    words, others = ops.pack(x.detach(), 1)
    if others or matmul.prefers_dense(words, rows, inputs, outputs):
        return x
    return _with_gradient(x, words)
