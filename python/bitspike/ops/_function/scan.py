"""Linear scans to autograd."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitspike.ops import scan
from bitspike.ops._dispatch import is_traced

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
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        out, *inputs = ctx.saved_tensors
        need = [bool(needed) for needed in ctx.needs_input_grad[:4]]
        upstream = grad if is_traced(out) else dense(grad)
        grads = scan.backward(out, *inputs, ctx.rectified, need, upstream)
        pairs = zip(grads, need, strict=True)
        return (*(x if needed else None for x, needed in pairs), None)
