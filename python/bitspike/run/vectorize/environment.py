"""Values of a program while a plan runs, and how its instructions find them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from bitspike.graph import Attribute, Constant, Input, Loop, Place, Value
from bitspike.graph.values import map_leaves, tensors_of

Key = Any
"""A value outside of loops, or a loop and a place."""
Environment = dict[Key, Any]
"""Tensors by value, and `Steps` by loop and place."""
Read = Callable[[Environment], Any]


class Scope:
    """Where the values of a graph are while its plan runs."""

    def __init__(self, loops: Iterable[Loop]) -> None:
        self.places: dict[Value, tuple[Loop, int, Place]] = {
            output: (loop, *found) for loop in loops for output, found in loop.places.items()
        }
        self.read: set[Key] = set()
        """What has been asked for since it was last emptied."""
        self.outside: dict[Input | Attribute, None] = {}
        """What no call makes."""

    def reader(self, leaf: Any) -> Read:
        """What finds a value, or is a number."""
        if isinstance(leaf, Constant):
            return lambda _: leaf.tensor
        if not isinstance(leaf, Value):
            return lambda _: leaf
        if leaf in self.places:
            loop, step, place = self.places[leaf]
            key = loop, place
            self.read.add(key)
            return lambda environment: environment[key].at(step)
        if isinstance(leaf, Input | Attribute):
            self.outside[leaf] = None
        self.read.add(leaf)
        return lambda environment: environment[leaf]

    def structure(self, structure: Any) -> Read:
        """What fills a structure of values."""
        if not isinstance(structure, tuple | list | dict | slice):
            return self.reader(structure)
        whole = self.all_steps(structure)
        if whole is not None:
            return lambda environment: list(whole(environment).each())
        readers = map_leaves(self.reader, structure)
        return lambda environment: map_leaves(lambda read: read(environment), readers)

    def all_steps(self, values: Any) -> Read | None:
        """What finds the `Steps` that a list of values consists of, if it does.

        Some entries in front may come from elsewhere, as those of a first step that differs.
        """
        if not isinstance(values, tuple | list) or len(values) < 2:
            return None
        found = [self.places.get(x) if isinstance(x, Value) else None for x in values]
        if found[-1] is None or not all(isinstance(x, Value) for x in values):
            return None
        loop, last, place = found[-1]
        count = next(
            (i for i, entry in enumerate(reversed(found)) if entry != (loop, last - i, place)),
            len(found),
        )
        front = [self.reader(x) for x in values[: len(values) - count]]
        if count < 2 or len(front) > 2:
            return None
        key = loop, place
        self.read.add(key)
        start, stop = last - count + 1, last + 1
        return lambda environment: environment[key].part(
            start, stop, [read(environment) for read in front]
        )

    def enter(self, args: Any, kwargs: Any) -> Environment:
        """What the program finds: its arguments, and tensors of modules."""
        tensors = list(tensors_of((args, kwargs)))
        return {
            value: tensors[value.index] if isinstance(value, Input) else value.read()
            for value in self.outside
        }
