"""Operations of programs in torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from bitspike.ops.straight_line import TRUTHS


def apply(op: str, *operands: Tensor) -> Tensor:
    """One operation, on tensors of float32."""
    if op == "where":
        condition, *others = operands
        operands = (condition != 0, *others)
    result: Tensor = getattr(torch, op)(*operands)
    return result.float() if op in TRUTHS else result


def evaluate(expression: Any, tensors: Mapping[str, Tensor]) -> Tensor:
    """The value of an expression of the tensors of a neuron.

    Args:
        expression: The name of a tensor, a number, or an operation and its operands.
        tensors: By their names.
    """
    if isinstance(expression, str):
        return tensors[expression].float()
    if isinstance(expression, float):
        device = next(iter(tensors.values())).device
        return torch.tensor(expression, dtype=torch.float32, device=device)
    op, *operands = expression
    return apply(op, *(evaluate(x, tensors) for x in operands))
