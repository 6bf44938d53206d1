"""Operations of programs in torch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bitspike.ops.straight_line import TRUTHS

from .tensors import tensor_of


def apply(op: str, *operands: Tensor) -> Tensor:
    """One operation, on tensors of float32."""
    if op == "where":
        condition, *others = operands
        operands = (condition != 0, *others)
    result: Tensor = getattr(torch, op)(*operands)
    return result.float() if op in TRUTHS else result


def evaluate(expression: Any, neuron: nn.Module, device: torch.device) -> Tensor:
    """The value of an expression of the tensors of a neuron.

    Args:
        expression: The name of a tensor, a number, or an operation and its operands.
        neuron: Whose.
        device: Where it computes.
    """
    if isinstance(expression, str):
        return tensor_of(neuron, expression).float()
    if isinstance(expression, float):
        return torch.full((), expression, dtype=torch.float32, device=device)
    op, *operands = expression
    return apply(op, *(evaluate(x, neuron, device) for x in operands))
