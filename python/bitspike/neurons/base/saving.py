"""What a native layer saves for its backward pass, which computes its states anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from bitspike.ops.call import Call


def private(
    call: Call, current: Tensor, constants: Sequence[Tensor], threshold: int
) -> list[Tensor | float]:
    """A step's current and the constants, but copies of what their owners may change in place.

    torch saves neither the current of a step nor its threshold, so that a program may go on with
    their memory. The current of a whole sequence is too large for a copy; what is learned changes
    once gradients are there. A constant of one element is copied as a number, which costs least.

    Args:
        call: What runs.
        current: The input.
        constants: The numbers of the equation.
        threshold: Which of them is the threshold, counted from the end.
    """
    held: list[Tensor | float] = [current]
    if not call.sequence:
        # The copy knows its origin, for the gradient's gradient.
        torch._C._set_grad_enabled(True)
        try:
            held[0] = current.clone()
        finally:
            torch._C._set_grad_enabled(False)
    held += [x.item() if x.numel() == 1 and not x.requires_grad else x for x in constants]
    if isinstance(held[threshold], Tensor) and not constants[threshold].requires_grad:
        held[threshold] = constants[threshold].clone()
    return held


def save(ctx: Any, values: Sequence[Tensor | float | None]) -> None:
    """Saves tensors and numbers for the backward pass, where `saved` returns them."""
    ctx.numbers = [x if isinstance(x, float) else None for x in values]
    ctx.save_for_backward(*[None if isinstance(x, float) else x for x in values])


def saved(ctx: Any) -> list[Any]:
    """What a call has saved, which may be asked for but once: tensors, and numbers for constants.

    Raises:
        RuntimeError: if some of it was changed in place since.
    """
    try:
        values = ctx.saved_tensors
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        raise RuntimeError(
            "the input of a whole sequence, or a parameter, was changed in place before backward, "
            "which computes the states of a neuron anew from them: give it a clone() instead"
        ) from error
    return [x if number is None else number for x, number in zip(values, ctx.numbers, strict=True)]


def as_tensors(values: Iterable[Any]) -> list[Tensor | None]:
    """The same, for what takes no numbers."""
    return [
        torch.tensor(x, dtype=torch.float32, device="cpu") if isinstance(x, float) else x
        for x in values
    ]
