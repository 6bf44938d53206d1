"""The firing step, and what stands in for a gradient that it does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Fire(torch.autograd.Function):
    """``1 if x > 0 else 0``, with ``gradient(x, grad, spikes)`` for its derivative."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, gradient: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        return (x > 0).to(x.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, ctx.gradient = inputs
        ctx.save_for_backward(x, output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        x, spikes = ctx.saved_tensors
        return ctx.gradient(x, grad, spikes), None


class Lend(torch.autograd.Function):
    """The first tensor, with the gradient of the second."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, smooth: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, Tensor]:
        return None, grad
