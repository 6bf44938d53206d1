"""What a native layer saves for its backward pass, which computes its states anew."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def private(
    sequence: bool, current: Tensor, constants: list[Tensor], threshold: int
) -> tuple[Tensor, list[Tensor]]:
    """A step's current and the constants, but copies of what their owners may change in place.

    torch saves neither the current of a step nor its threshold, so that a program may go on with
    their memory. The current of a whole sequence is too large for a copy; what is learned changes
    once gradients are there.

    Args:
        sequence: Whether ``current`` is a whole sequence.
        current: The input.
        constants: The numbers of the equation.
        threshold: Which of them is the threshold.
    """
    if not constants[threshold].requires_grad:
        constants = constants.copy()
        constants[threshold] = constants[threshold].clone()
    if sequence:
        return current, constants
    # The copy knows its origin, for the gradient's gradient.
    torch._C._set_grad_enabled(True)
    try:
        return current.clone(), constants
    finally:
        torch._C._set_grad_enabled(False)


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
