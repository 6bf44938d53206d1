"""What a call makes, and whether autograd sees it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from bitspike.graph import Node, Output
from bitspike.graph.values import tensors_of, values_of


def recording(node: Node) -> Any:
    """Has autograd look on as it did when the program was captured."""
    same = node.records == torch.is_grad_enabled()
    return nullcontext() if same else torch.set_grad_enabled(node.records)


def keeper(node: Node) -> Callable[[Any], list[tuple[Output, Tensor]]]:
    """What finds the outputs of a call in what it returned, and in the states of its module."""
    places = [
        (i, value)
        for i, value in enumerate(values_of(node.result))
        if isinstance(value, Output) and value.node is node
    ]
    shown = {value for _, value in places}
    states = [
        (i, value)
        for i, value in enumerate(node.states)
        if isinstance(value, Output) and value.node is node and value not in shown
    ]

    def keep(result: Any) -> list[tuple[Output, Tensor]]:
        tensors = [result] if isinstance(result, Tensor) else list(tensors_of(result))
        found = [(value, tensors[i]) for i, value in places]
        if states:
            kept = node.stateful._kept()  # type: ignore[union-attr]
            found += [(value, kept[i]) for i, value in states]
        return found

    return keep
