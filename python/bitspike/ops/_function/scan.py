"""Linear scans to autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import scan
from bitspike.ops._dispatch import is_traced

from . import derivable
from .dense import dense


class Scan(torch.autograd.Function):
    """A linear scan, as `scan.forward` runs it. It saves its outputs, and factors of its input."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        decay: Tensor,
        key: Tensor | None,
        initial: Tensor | None,
        rectified: bool,
    ) -> Tensor:
        out = scan.forward(x, decay, key, initial, rectified)
        ctx.rectified = rectified
        ctx.save_for_backward(out, None if key is None else x, decay, key, initial)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        out, *inputs = ctx.saved_tensors
        need = [bool(needed) for needed in ctx.needs_input_grad[:4]]
        native: Any
        upstream: Tensor | None
        if not is_traced(out) and out.numel() and derivable.is_wanted([grad]):
            native, upstream = gradients_in_torch, derivable.plain(grad)
        else:
            native, upstream = scan.backward, grad if is_traced(out) else dense(grad)
        grads = native(out, *inputs, ctx.rectified, need, upstream)
        pairs = zip(grads, need, strict=True)
        return (*(x if needed else None for x, needed in pairs), None)


def gradients_in_torch(
    out: Tensor,
    x: Tensor | None,
    decay: Tensor,
    key: Tensor | None,
    initial: Tensor | None,
    rectified: bool,
    need: list[bool],
    grad: Tensor,
) -> list[Tensor | None]:
    """What `scan.backward` returns, which autograd may differentiate again."""
    outer = key is not None
    varies = decay.dim() == out.dim() - outer
    factor = decay.unsqueeze(2) if outer else decay
    to_sum = torch.zeros_like(out[0])
    sums: list[Tensor] = []
    for t in reversed(range(len(out))):
        if sums:
            to_sum = (factor[t + 1] if varies else factor) * to_sum
        to_sum = to_sum + grad[t]
        if rectified:
            to_sum = to_sum * (out[t] > 0)
        sums.append(to_sum)
    to_sums = torch.stack(sums[::-1])
    first = torch.zeros_like(out[0]) if initial is None else initial
    to_decay = to_sums * torch.cat([first.unsqueeze(0), out[:-1]])
    to_initial = (factor[0] if varies else factor) * to_sums[0]
    if key is None or x is None:
        return [to_sums, to_decay.sum_to_size(decay.shape), None, to_initial]
    to_x = (to_sums * key.unsqueeze(2)).sum(3)
    return [to_x, to_decay.sum(2), (to_sums * x.unsqueeze(3)).sum(2), to_initial]
