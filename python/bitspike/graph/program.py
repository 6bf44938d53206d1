"""A captured program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from .printing import show
from .values import Input, Node, Variable


@dataclass(eq=False)
class Graph:
    """A program captured from one run: its calls in the order in which they ran.

    ``print(graph)`` shows it, with loops folded.
    """

    name: str
    inputs: list[Input]
    nodes: list[Node]
    result: Any
    """What the program returns: values and numbers, in tuples, lists and dicts."""
    sets: list[tuple[nn.Module, str, Any]]
    """Attributes of modules that hold tensors of the program afterwards: module, name, value."""
    modules: dict[nn.Module, str]
    """The modules that were called, and those that hold them, with their paths."""
    variables: list[Variable]
    """What the functions of the program refer to outside of themselves."""

    def __str__(self) -> str:
        return show(self)
