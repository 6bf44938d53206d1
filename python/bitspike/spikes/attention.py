"""Products of spikes with spikes, on which attention rests: bits that are shared, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bitspike.ops import attention as ops
from bitspike.ops.route import is_observed

from .tensor import SpikeTensor
from .views import plain_rows


def attend(queries: Tensor, keys: Tensor, values: Tensor, heads: int, scale: float) -> Tensor:
    r"""``scale · Q Kᵀ V`` for each head, without a softmax: sums are whole numbers.

    Args:
        queries: Spikes ``[*, N, D]`` of ``N`` tokens; packed ones are never unpacked.
        keys: Likewise.
        values: Likewise.
        heads: Parts of the last axis, each of which attends by itself.
        scale: What a sum is multiplied with.

    Returns:
        Floats ``[*, N, D]``, of the same bits for packed and for dense spikes while sums are below
        2^24.
    """
    spikes = queries, keys, values
    if all(_is_packed(x) and x.shape == queries.shape for x in spikes) and not is_observed():
        out: Tensor = Attend.apply(*spikes, (heads, scale))
        return out
    return _attend_dense([_recorded(x) for x in spikes], heads, scale)


def both(a: Tensor, b: Tensor) -> Tensor:
    """``a · b`` of spikes: where both fire. Packed ones stay packed.

    Args:
        a: Spikes ``[*, D]``.
        b: Likewise, of the same shape or one that broadcasts against it, but for the last axis.
    """
    if _is_packed(a) and _is_packed(b) and a.shape[-1] == b.shape[-1] and not is_observed():
        out: Tensor = Both.apply(a, b)
        return out
    return _recorded(a) * _recorded(b)


def _is_packed(x: Any) -> bool:
    return plain_rows(x) and len(x.features) == 1 and x.rows > 0 and x.dtype is torch.float32


def _recorded(x: Tensor) -> Tensor:
    """Floats that autograd records."""
    return x * 1 if isinstance(x, SpikeTensor) else x


def _floats(x: Tensor) -> Tensor:
    """The same where it need not."""
    if torch.is_grad_enabled() or not isinstance(x, SpikeTensor):
        return _recorded(x)
    return x.dense()


class Attend(torch.autograd.Function):
    """The product of packed spikes; it saves the spikes themselves."""

    @staticmethod
    def forward(
        ctx: Any, queries: Any, keys: Any, values: Any, division: tuple[int, float]
    ) -> Tensor:
        ctx.save_for_backward(queries, keys, values)
        ctx.division = heads, scale = division
        words = queries.words, keys.words, values.words
        return ops.attend(ops.Attention(*words, neurons=queries.neurons, heads=heads), scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        heads, scale = ctx.division
        q, k, v = (_heads(_floats(x), heads) for x in ctx.saved_tensors)
        g = _heads(grad, heads) * scale
        need_q, need_k, need_v, _ = ctx.needs_input_grad
        if _is_long(q):
            to_q = g @ (v.mT @ k) if need_q else None
            to_k = v @ (g.mT @ q) if need_k else None
            to_v = k @ (q.mT @ g) if need_v else None
        else:
            to_pairs = g @ v.mT if need_q or need_k else None
            to_q = to_pairs @ k if to_pairs is not None and need_q else None
            to_k = to_pairs.mT @ q if to_pairs is not None and need_k else None
            to_v = (q @ k.mT).mT @ g if need_v else None
        return *(x if x is None else _joined(x) for x in (to_q, to_k, to_v)), None


class Both(torch.autograd.Function):
    """Where two packed tensors fire; one of them may broadcast."""

    @staticmethod
    def forward(ctx: Any, a: Any, b: Any) -> Tensor:
        ctx.save_for_backward(a, b)
        shared: Tensor = a.like(a.words & b.words)
        return shared

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        need_a, need_b = ctx.needs_input_grad
        to_a = (grad * _floats(b)).sum_to_size(a.shape) if need_a else None
        to_b = (grad * _floats(a)).sum_to_size(b.shape) if need_b else None
        return to_a, to_b


def _attend_dense(spikes: Sequence[Tensor], heads: int, scale: float) -> Tensor:
    """The specification, in torch."""
    q, k, v = (_heads(x, heads) for x in spikes)
    return _joined((q @ (k.mT @ v) if _is_long(q) else (q @ k.mT) @ v) * scale)


def _is_long(x: Tensor) -> bool:
    """Whether there are more tokens than neurons of a head, so that pairs of tokens cost more."""
    return x.shape[-2] > x.shape[-1]


def _heads(x: Tensor, heads: int) -> Tensor:
    """``[*, heads, N, D / heads]``."""
    parts: Tensor = x.unflatten(-1, (heads, x.shape[-1] // heads))
    return parts.transpose(-3, -2)


def _joined(x: Tensor) -> Tensor:
    return x.transpose(-3, -2).flatten(-2)
