"""Which tensors of a call autograd is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from bitspike.ops.call import Call
from bitspike.ops.route import is_traced

Tensors = Sequence[Tensor | None]


def run(
    function: Any,
    compute: Callable[[Call, Any], tuple[Tensor, ...]],
    call: Call,
    tensors: Any,
) -> tuple[Tensor, ...]:
    """The results of a call, recorded by an autograd function if a tensor requires a gradient.

    An autograd function takes time for each tensor that it is given, so it is given only those that
    require a gradient. Under tracing it is given all.
    """
    if not torch.is_grad_enabled():
        return compute(call, tensors)
    asks = [isinstance(x, Tensor) and x.requires_grad for x in tensors]
    if True not in asks:
        return compute(call, tensors)
    if is_traced(tensors[0]):
        hidden, asks, shown = None, [True] * len(asks), tensors
    else:
        hidden, shown = tensors, [x for x, ask in zip(tensors, asks, strict=True) if ask]
    results: tuple[Tensor, ...] = function.apply(call, asks, hidden, *shown)
    return results


def needed(ctx: Any) -> list[bool]:
    """Of which tensors of the call gradients are wanted now."""
    wanted = iter(ctx.needs_input_grad[3:])
    return [asks and next(wanted) for asks in ctx.asks]


def returned(ctx: Any, need: list[bool], grads: Tensors) -> tuple[Tensor | None, ...]:
    """What ``backward`` returns, for the gradients of all tensors of the call."""
    shown = zip(ctx.asks, need, grads, strict=True)
    return None, None, None, *[grad if need else None for asks, need, grad in shown if asks]
