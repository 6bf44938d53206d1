"""Which tensors of a call autograd is shown, and the gradients that it gets for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bitspike import derivable
from bitspike.ops.call import Call
from bitspike.ops.route import gradient_needs_torch, is_traced
from bitspike.spikes.upstream import plain_gradient

from .saving import as_tensors, saved

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


def gradients(
    ctx: Any,
    grads: Sequence[Tensor | None],
    native: Callable[..., Tensors],
    specification: Callable[..., Sequence[Tensor]],
) -> tuple[Tensor | None, ...]:
    """What ``backward`` returns; torch computes it where autograd may differentiate it again.

    Args:
        ctx: Of a call that saved its tensors, and behind them what else ``native`` needs.
        grads: Of its results.
        native: ``native(call, values, need, grads, traced=...)`` gives the gradients of the call's
            tensors: by an operator if it is traced, else by the kernel itself.
        specification: ``specification(call, *tensors)`` is the call in torch.
    """
    call, values, need = ctx.call, saved(ctx), _needed(ctx)
    if is_traced(values[0]):
        # torch does not know yet of which type a gradient will be.
        found = native(call, as_tensors(values), need, grads, traced=True)
    elif gradient_needs_torch(grads):
        tensors = as_tensors(values)[: len(need)]
        found = derivable.gradients(partial(specification, call), tensors, need, grads)
    else:
        found = native(call, values, need, map(plain_gradient, grads), traced=False)
    return _returned(ctx, need, found)


def _needed(ctx: Any) -> list[bool]:
    """Of which tensors of the call gradients are wanted now."""
    wanted = iter(ctx.needs_input_grad[3:])
    return [asks and next(wanted) for asks in ctx.asks]


def _returned(ctx: Any, need: list[bool], grads: Tensors) -> tuple[Tensor | None, ...]:
    """What ``backward`` returns, for the gradients of all tensors of the call."""
    shown = zip(ctx.asks, need, grads, strict=True)
    return None, None, None, *[grad if need else None for asks, need, grad in shown if asks]
