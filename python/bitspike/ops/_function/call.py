"""A call of a native layer, and which of its tensors autograd looks at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike.ops._dispatch import is_traced


class Kind(NamedTuple):
    """What a kernel computes."""

    neuron: str
    """Its name in the registry."""
    mechanism: str
    """The name of its reset."""
    immediate: bool
    """Whether the reset acts within the step that fires."""
    surrogate: str
    """The name of the surrogate."""
    surrogate_parameters: list[float]
    """Its parameters."""


class Call(NamedTuple):
    """A call of a layer, but for its tensors."""

    kind: Kind
    sequence: bool
    """Whether the first axis of the current is time."""
    states: bool
    """Whether the states of all steps of a sequence are returned."""
    constants: int
    """How many of the tensors are constants."""
    spikes: type[Tensor] = Tensor
    """What the spikes are to be: `SpikeTensor`, `DenseSpikes`, or plain numbers."""


Tensors = Sequence[Tensor | None]


def run(
    function: Any,
    compute: Callable[[Call, Any], tuple[Tensor, ...]],
    call: Call,
    tensors: Any,
) -> tuple[Tensor, ...]:
    """The results of a call, with the graph of an autograd function if a tensor asks for one.

    For each tensor that it is given an autograd function takes time, so that it is given those that
    ask for a gradient. To what traces the call it shows them all.
    """
    if not torch.is_grad_enabled():
        return compute(call, tensors)
    asks = [x is not None and x.requires_grad for x in tensors]
    if True not in asks:
        return compute(call, tensors)
    if is_traced(tensors[0]):
        hidden, asks, shown = None, [True] * len(asks), tensors
    else:
        hidden, shown = tensors, [x for x in tensors if x is not None and x.requires_grad]
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
