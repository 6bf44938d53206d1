"""The weight gradients of a loop over time, computed at once.

A loop multiplies the spikes of each step by the same weight. Backward would compute a gradient of
the whole weight for each step and add them up; one product over the rows of all steps takes a
fraction of that. So the product of a step leaves its rows with a node of the graph that lies
between the products of all steps and their weight: autograd runs it when all have left theirs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from bitspike.ops import buffer, matmul

ROWS = 8192
"""How many rows wait at most; more are multiplied before the others have come."""


class _Rows(NamedTuple):
    """Spikes that were multiplied by the weight, and the gradient of what that gave."""

    words: Tensor
    """``[R, W]``"""
    grad: Tensor
    """``[R, N]``"""


class _Sum:
    """The gradients of a weight ``[N, M]`` and of a bias, in one backward pass."""

    def __init__(self, neurons: int, biased: bool) -> None:
        self.neurons, self.biased = neurons, biased
        self.waiting: list[_Rows] = []
        self.count = 0
        self.total: list[Tensor | None] | None = None

    def add(self, rows: _Rows) -> None:
        """Adds those of some rows."""
        self.waiting.append(rows)
        self.count += rows.words.shape[0]
        if self.count >= ROWS:
            self.multiply()

    def multiply(self) -> list[Tensor | None]:
        """The gradients of all rows so far."""
        if self.waiting:
            # Backward goes from the last step to the first.
            words, grad = map(buffer.joined, zip(*self.waiting[::-1], strict=True))
            found = matmul.linear_gradient(words, self.neurons, grad, self.biased)
            self.waiting.clear()
            self.count = 0
            self.total = _added(self.total, found)
        assert self.total is not None
        return self.total


def _added(first: Any, second: Any) -> list[Tensor | None]:
    if first is None:
        return list(second)
    return [
        y if x is None else x if y is None else x + y for x, y in zip(first, second, strict=True)
    ]


class Deferred(torch.autograd.Function):
    """An empty tensor, whose node gives a weight and a bias what was left with it."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The node of a weight and of a bias that is learned."""
        ctx.set_materialize_grads(False)
        ctx.sums, ctx.neurons, ctx.biased = {}, weight.shape[1], bias is not None
        return weight.new_empty(0)

    @staticmethod
    def backward(ctx: Any, grad: Tensor | None) -> tuple[Tensor | None, ...]:
        """What the steps have left in this backward pass."""
        left = ctx.sums.pop(_backward_pass(), None)
        if left is None:
            return None, None
        of_weight, of_bias = left.multiply()
        return of_weight, of_bias


def leave(node: Any, words: Tensor, grad: Tensor) -> None:
    """Leaves rows with the node of their weight."""
    number = _backward_pass()
    if number not in node.sums:
        node.sums[number] = _Sum(node.neurons, node.biased)
    node.sums[number].add(_Rows(words, grad))


def _backward_pass() -> int:
    """Which one this is, for several may run in threads of their own."""
    number: int = torch._C._current_graph_task_id()
    return number


def node_of(weight: Tensor, bias: Tensor | None) -> Tensor | None:
    """The tensor of the node that computes a weight's gradient, or None if it is not one's own.

    It lives as long as a graph that refers to it, so a loop has one for all its steps.
    """
    if not (torch.is_grad_enabled() and weight.is_leaf and weight.requires_grad):
        return None
    if bias is not None and not bias.is_leaf:
        return None
    learned = bias if bias is not None and bias.requires_grad else None
    known: _Known | None = _nodes.get(weight)
    if known is not None and known.bias() is learned:
        node = known.node()
        if node is not None:
            return node
    made: Tensor = Deferred.apply(weight, learned)
    _nodes[weight] = _Known(
        _nothing if learned is None else weakref.ref(learned), weakref.ref(made)
    )
    return made


class _Known(NamedTuple):
    """The node of a weight, for a bias."""

    bias: Callable[[], Tensor | None]
    node: Callable[[], Tensor | None]


def _nothing() -> None:
    return None


_nodes: WeakTensorKeyDictionary = WeakTensorKeyDictionary()
