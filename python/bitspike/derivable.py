"""Gradients that can be differentiated again: of the specification in torch, by autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from bitspike.spikes.gradient import DenseGradient
from bitspike.spikes.tensor import SpikeTensor


def gradients(
    specification: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor | None],
    needed: Sequence[bool],
    grads: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """Gradients of a native function's inputs, which autograd may differentiate again.

    Args:
        specification: The function in torch, of these inputs.
        inputs: What was given to it.
        needed: Of which of them gradients are wanted.
        grads: Of what it returned.
    """
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # One tensor for each argument: two arguments may be the same one.
        given = [None if x is None else x.view_as(x) for x in inputs]
        pairs = [
            (result, plain(grad).to(result.dtype))
            for result, grad in zip(specification(*given), grads, strict=True)
            if grad is not None and result.requires_grad
        ]
        wanted = [x for x, need in zip(given, needed, strict=True) if need and x is not None]
        found: Iterator[Tensor | None] = iter([None] * len(wanted))
        if pairs:
            found = iter(
                torch.autograd.grad(
                    [result for result, _ in pairs],
                    wanted,
                    [grad for _, grad in pairs],
                    create_graph=again,
                    allow_unused=True,
                )
            )
    return [
        _or_zero(next(found), x) if need and x is not None else None
        for x, need in zip(given, needed, strict=True)
    ]


def _or_zero(grad: Tensor | None, x: Tensor) -> Tensor:
    return torch.zeros_like(x) if grad is None else grad


def plain(grad: Tensor) -> Tensor:
    """A gradient as a tensor of numbers, connected to what it was computed of."""
    if isinstance(grad, DenseGradient):
        return grad.value
    return grad * 1 if isinstance(grad, SpikeTensor) else grad
