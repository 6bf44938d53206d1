"""Floats that hold zeros and ones as bits."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import conv, matmul
from bitspike.ops import spikes as ops
from bitspike.ops.channels_last import is_channels_last

from .tensor import of_words
from .upstream import plain_gradient


class Pack(torch.autograd.Function):
    """The packed form of dense spikes, whose words are given; its gradient is theirs."""

    @staticmethod
    def forward(
        ctx: Any, floats: Tensor, words: Tensor, features: int, channels_last: bool
    ) -> Tensor:
        shape = floats.shape[floats.dim() - features :]
        return of_words(words, shape, channels_last=channels_last)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, None]:
        return plain_gradient(grad), None, None, None


def pack_if_binary(spikes: Tensor, features: int | None = None) -> Tensor:
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
    return pack(spikes, words)


def pack(x: Tensor, words: Tensor, channels_last: bool = False) -> Tensor:
    """The packed form of dense spikes, whose words are given, with their gradient."""
    if x.requires_grad and torch.is_grad_enabled():
        bits: Tensor = Pack.apply(x, words, x.dim() - words.dim() + 1, channels_last)
        return bits
    return of_words(words, x.shape[words.dim() - 1 :], channels_last=channels_last)


def words_if_faster(x: Tensor, weight: Any) -> Tensor | None:
    """The words of floats that may be spikes, or None if a linear layer is not faster with them."""
    if not x.dim() or weight.dim() != 2:
        return None
    inputs, outputs = x.shape[-1], weight.shape[0]
    rows = x.numel() // inputs if inputs else 0
    # The question that a small layer answers comes first, for it has no time for the others.
    if matmul.prefers_dense(None, rows, inputs, outputs):
        return None
    if not (x.is_cpu and x.dtype == weight.dtype == torch.float32):
        return None
    if torch._C._functorch.is_functorch_wrapped_tensor(x):
        return None
    words, others = ops.pack(x.detach(), 1)
    return None if others or matmul.prefers_dense(words, rows, inputs, outputs) else words


def pack_maps_if_faster(x: Tensor, weight: Any) -> Tensor:
    """Floats ``[R, C, *size]`` that may be spikes, as bits if a convolution is faster with them."""
    if not (x.is_cpu and x.dtype == weight.dtype == torch.float32) or x.dim() != weight.dim():
        return x
    if torch._C._functorch.is_functorch_wrapped_tensor(x) or x.dim() not in (3, 4):
        return x
    last = is_channels_last(x, sequence=False)
    floats = x.detach()
    words, others = ops.pack(floats.movedim(1, -1) if last else floats, x.dim() - 1)
    if others or conv.prefers_dense(words, x.shape, weight.shape):
        return x
    return pack(x, words, last)
