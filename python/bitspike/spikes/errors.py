"""The errors of a layer of neurons, on their way to the product that its current is made of.

Autograd hands the gradient of the current, a plain tensor, from the backward pass of the neurons to
that of `Linear`. The errors go beside it, left with the node of the graph that reads them, which
trusts them only if the gradient is the same object as then and was not written to: whatever else
autograd may do (add the gradients of two readers, call a hook) makes another tensor or counts up
its version.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike.ops.call import Errors


class _Left(NamedTuple):
    """Errors, and the gradient that they make."""

    grad: Tensor
    version: int
    errors: Errors


def reader(ctx: Any, kind: type[torch.autograd.Function]) -> Any:
    """The node that reads the gradient of the first tensor that a function was given, or None.

    Args:
        ctx: Of the function, in its backward pass.
        kind: What the node must be of, and its own first argument must need a gradient.
    """
    node: Any = ctx.next_functions[0][0]
    reads = isinstance(node, kind._backward_cls) and node.needs_input_grad[0]  # type: ignore[attr-defined]
    return node if reads else None


def leave(node: Any, grad: Tensor, errors: Errors) -> None:
    """Leaves errors with the node that reads the gradient which they make."""
    vars(node)["errors"] = _Left(grad, grad._version, errors)


def take(ctx: Any, grad: Tensor) -> Errors | None:
    """The errors that were left with this node, if they make this gradient."""
    left = vars(ctx).pop("errors", None)
    if left is None or left.grad is not grad or left.version != grad._version:
        return None
    errors: Errors = left.errors
    return errors
