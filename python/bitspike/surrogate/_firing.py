"""The firing step, and what stands in for a gradient that it does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bitspike.ops.route import is_transformed


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


class WithGradientOf(torch.autograd.Function):
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


class DualFire(Fire):
    """`Fire` with a forward-mode derivative, which torch.compile does not take."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        Fire.setup_context(ctx, inputs, output)
        ctx.save_for_forward(inputs[0], output)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        x, spikes = ctx.saved_tensors
        result: Tensor = ctx.gradient(x, tangent, spikes)
        return result


class DualWithGradientOf(WithGradientOf):
    """`WithGradientOf` with a forward-mode derivative."""

    @staticmethod
    def jvp(ctx: Any, _: Tensor | None, tangent: Tensor | None) -> Tensor | None:
        return tangent


def fire(x: Tensor, gradient: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    """The firing step: `Fire`."""
    kind = DualFire if is_transformed() else Fire
    spikes: Tensor = kind.apply(x, gradient)
    return spikes


def with_gradient_of(x: Tensor, smooth: Tensor) -> Tensor:
    """The first tensor, with the gradient of the second: `WithGradientOf`."""
    result: Tensor = (DualWithGradientOf if is_transformed() else WithGradientOf).apply(x, smooth)
    return result
