"""What a native layer saves for its backward pass, which computes its states anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from bitspike.ops.call import Call


def private(
    call: Call, current: Tensor, constants: Sequence[Any], threshold: int
) -> list[Tensor | float]:
    """The current and the constants to save, copied if the program may change them in place.

    torch saves neither the current of a step nor its threshold, so that a program may go on with
    their memory. The current of a whole sequence is too large for a copy; what is learned changes
    once gradients are there. A constant of one element is copied as a number, which costs least.

    Args:
        call: What runs.
        current: The input.
        constants: The numbers of the equation.
        threshold: Which of them is the threshold, counted from the end.
    """
    held: list[Tensor | float] = [current if call.sequence else recorded_copy(current)]
    held += [
        x if isinstance(x, float) or x.requires_grad or x.numel() != 1 else x.item()
        for x in constants
    ]
    last = held[threshold]
    if isinstance(last, Tensor) and not last.requires_grad:
        held[threshold] = last.clone()
    return held


def recorded_copy(current: Tensor) -> Tensor:
    """A copy of a current within an autograd function, of which autograd knows.

    So second derivatives reach the current.
    """
    torch._C._set_grad_enabled(True)
    try:
        return current.clone()
    finally:
        torch._C._set_grad_enabled(False)


def save(ctx: Any, values: Sequence[Tensor | float | None]) -> None:
    """Saves tensors and numbers for the backward pass, where `saved` returns them."""
    ctx.numbers = [x if isinstance(x, float) else None for x in values]
    ctx.save_for_backward(*[None if isinstance(x, float) else x for x in values])


def saved(ctx: Any) -> list[Any]:
    """The tensors and numbers that a call has saved, to be read once in each backward pass.

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
    """The same values with numbers as tensors, for code that takes tensors only."""
    return [
        torch.tensor(x, dtype=torch.float32, device="cpu") if isinstance(x, float) else x
        for x in values
    ]
