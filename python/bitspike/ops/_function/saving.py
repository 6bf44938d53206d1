"""What a native layer saves for its backward pass, which computes its states anew."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def private(
    sequence: bool, current: Tensor, constants: list[Tensor], threshold: int, initial: list[Tensor]
) -> list[Tensor]:
    """The same tensors, but copies of those that their owners may change before backward.

    torch saves neither the current, nor the states and the threshold of a step, so that a program
    may go on with their memory. The current of a whole sequence is too large for a copy; what is
    learned changes once gradients are there. A copy knows its origin, for the gradient's gradient.

    Args:
        sequence: Whether ``current`` is a whole sequence.
        current: The input.
        constants: The numbers of the equation.
        threshold: Which of them is the threshold.
        initial: The states before the first step.
    """
    with torch.enable_grad():
        numbers = constants.copy()
        if not numbers[threshold].requires_grad:
            numbers[threshold] = numbers[threshold].clone()
        states = [x.clone() for x in initial]
        return [current if sequence else current.clone(), *numbers, *states]


def saved_tensors(ctx: Any) -> tuple[Tensor, ...]:
    """What a call has saved.

    Raises:
        RuntimeError: if some of it was changed in place since.
    """
    try:
        tensors: tuple[Tensor, ...] = ctx.saved_tensors
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        raise RuntimeError(
            "the input of a whole sequence, or a parameter, was changed in place before backward, "
            "which computes the states of a neuron anew from them: give it a clone() instead"
        ) from error
    return tensors
