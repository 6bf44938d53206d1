"""What graphs consist of: values, and the calls that make them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.state import HiddenState


@dataclass(eq=False, repr=False)
class Value:
    """A tensor of a program, as far as the program's text knows it."""

    shape: torch.Size
    dtype: torch.dtype

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.shape)}, {self.dtype})"


@dataclass(eq=False, repr=False)
class Input(Value):
    """A tensor among the arguments."""

    name: str
    index: int
    """Its position among the tensors of the arguments, in the order of `tensors_of`."""


@dataclass(eq=False, repr=False)
class Attribute(Value):
    """A parameter, a buffer or another tensor that a module holds before the program runs."""

    owner: nn.Module
    attribute: str
    name: str

    def read(self) -> Tensor:
        """What the module holds now."""
        value: Tensor = getattr(self.owner, self.attribute)
        return value


@dataclass(eq=False, repr=False)
class Constant(Value):
    """Any other tensor that was there before the program ran, or that it made of numbers."""

    tensor: Tensor


@dataclass(eq=False, repr=False)
class Output(Value):
    """A tensor that a call makes."""

    node: Node
    index: int
    """Its position among ``node.outputs``."""


@dataclass(frozen=True)
class Variable:
    """A variable outside of the functions of a program that they refer to."""

    name: str
    read: Callable[[], Any]
    """Tells what it is now."""


@dataclass(eq=False, repr=False)
class Node:
    """One call: of a module, of a function, or of a method that resets or detaches hidden state."""

    target: Any
    """The module or function that is called."""
    name: str
    """The module's path or the function's name."""
    args: tuple[Any, ...]
    """Arguments: values, numbers, and tuples, lists, dicts and slices of them."""
    kwargs: dict[str, Any]
    line: str
    """The line of the program: file, number, function."""
    site: Hashable
    """The place in the program, equal for calls that a loop makes again."""
    records: bool = True
    """Whether autograd was to record it."""
    draws: bool = False
    """Whether it draws random numbers."""
    on_cpu: bool = True
    """Whether all tensors that it returns are there."""
    writes: bool = False
    """Whether it changes buffers of its module."""
    result: Any = None
    """What it returns: a value, or a structure of values as in ``args``."""
    outputs: list[Output] = field(default_factory=list)
    """The tensors that it makes: those of ``result``, and states that only the module holds."""
    given: tuple[Value | None, ...] = ()
    """States that are passed to a module with hidden state, in the order of its ``STATES``; None
    for those that it keeps itself."""
    states: tuple[Value, ...] = ()
    """The states that a module with hidden state keeps after the call, likewise."""

    def __repr__(self) -> str:
        return f"Node({self.name}, {self.line})"

    @property
    def module(self) -> nn.Module | None:
        """The module that is called, or whose state is reset; None for a function."""
        owner = getattr(self.target, "__self__", self.target)
        return owner if isinstance(owner, nn.Module) else None

    @property
    def stateful(self) -> HiddenState | None:
        """The module, if it has hidden state."""
        return self.module if isinstance(self.module, HiddenState) else None

    def label(self, output: Output) -> str:
        """How a printed graph calls one of the outputs."""
        if output.index == 0:
            return self.name
        for i, state in enumerate(self.states):
            if state is output and self.stateful is not None:
                return f"{self.name}.{self.stateful.STATES[i]}"
        return f"{self.name}.{output.index}"


def values_of(structure: Any) -> Iterator[Value]:
    """All values of a structure, in order."""
    for leaf in leaves(structure):
        if isinstance(leaf, Value):
            yield leaf


def tensors_of(structure: Any) -> Iterator[Tensor]:
    """All tensors of a structure, in order."""
    for leaf in leaves(structure):
        if isinstance(leaf, Tensor):
            yield leaf


def leaves(structure: Any) -> Iterator[Any]:
    """All that is in tuples, lists, dicts and slices, in order."""
    if isinstance(structure, tuple | list):
        for entry in structure:
            yield from leaves(entry)
    elif isinstance(structure, dict):
        for entry in structure.values():
            yield from leaves(entry)
    elif isinstance(structure, slice):
        yield from (structure.start, structure.stop, structure.step)
    else:
        yield structure


def map_leaves(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with each leaf replaced by what the function makes of it."""
    if isinstance(structure, tuple):
        entries = [map_leaves(function, entry) for entry in structure]
        if type(structure) is tuple:
            return tuple(entries)
        if hasattr(structure, "_fields"):
            return type(structure)(*entries)
        # torch.return_types and torch.Size: a tuple of the same entries.
        return tuple(entries)
    if isinstance(structure, list):
        return [map_leaves(function, entry) for entry in structure]
    if isinstance(structure, dict):
        return {key: map_leaves(function, entry) for key, entry in structure.items()}
    if isinstance(structure, slice):
        parts = (structure.start, structure.stop, structure.step)
        return slice(*(function(part) for part in parts))
    return function(structure)
