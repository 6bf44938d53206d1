"""The arguments of calls in a loop: for all steps at once, and for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from bitspike.graph import Earlier, Fixed, Loop, Node, Source, Value, Varying
from bitspike.graph.values import leaves, map_leaves

from .environment import Environment, Read, Scope
from .rules import Moving
from .steps import Steps

Instruction = Callable[[Environment], None]


class Arguments:
    """What finds the arguments of the calls of a loop while a plan runs.

    Args:
        loop: The loop.
        scope: Where its values are.
    """

    def __init__(self, loop: Loop, scope: Scope) -> None:
        self.loop = loop
        self.scope = scope
        self.static: set[int] = set()
        """Calls that are the same at all steps."""

    def node(self, position: int) -> Node:
        """The call of the first step."""
        return self.loop.body[position][0]

    def sources(self, position: int) -> list[Source]:
        """Where the arguments of a call come from."""
        return list(leaves(self.loop.arguments(position)))

    def typical(self, source: Source) -> Any:
        """An argument for a rule: a number, a value, `Moving`, or what a rule cannot take."""
        if isinstance(source, Fixed):
            return source.value
        if isinstance(source, Earlier) and not source.lag and source.place.position in self.static:
            return self.loop.body[source.place.position][0].outputs[source.place.output]
        shape = self.shape(source)
        return source if shape is None else Moving(shape)

    def shape(self, source: Source) -> torch.Size | None:
        """The shape of one step of a sequence; None if this is none."""
        entries: Sequence[Any] = source.entries if isinstance(source, Varying) else ()
        if isinstance(source, Earlier):
            place = source.place
            entries = (*source.first, self.loop.body[place.position][0].outputs[place.output])
        if not all(isinstance(x, Value) for x in entries):
            return None
        first: Value = entries[0]
        alike = all((x.shape, x.dtype) == (first.shape, first.dtype) for x in entries)
        inside = any(x in self.loop.places for x in entries) and isinstance(source, Varying)
        return None if inside or not alike else first.shape

    def sequence(self, source: Source) -> Callable[[Environment], Steps] | None:
        """What finds an argument as `Steps`; None if it is no sequence."""
        if isinstance(source, Fixed):
            if not isinstance(source.value, Value):
                return None
            read, count = self.scope.structure(source.value), self.loop.steps
            return lambda environment: Steps.same(read(environment), count)
        if self.shape(source) is None:
            return None
        if isinstance(source, Varying):
            steps = self.scope.all_steps(source.entries)
            if steps is not None:
                return steps
            reads = [self.scope.structure(x) for x in source.entries]
            return lambda environment: Steps(len(reads), each=[x(environment) for x in reads])
        key, lag = (self.loop, source.place), source.lag
        self.scope.read.add(key)
        first = [self.scope.structure(x) for x in source.first]
        if not lag:
            return lambda environment: environment[key]
        stop = self.loop.steps - lag
        return lambda environment: environment[key].part(0, stop, [x(environment) for x in first])

    def filled(self, structure: Any) -> Read:
        """What fills arguments with sequences, and with what is the same at all steps."""

        def read(source: Source) -> Read:
            steps = None if isinstance(source, Fixed) else self.sequence(source)
            if steps is None:
                assert isinstance(source, Fixed)
                return self.scope.structure(source.value)
            static = isinstance(self.typical(source), Value)
            if static:
                return lambda environment: steps(environment).one
            return lambda environment: steps(environment).whole()

        reads = map_leaves(read, structure)
        return lambda environment: map_leaves(lambda x: x(environment), reads)

    def at_step(self, source: Source) -> Callable[[Environment, int], Any]:
        """What finds an argument at a step."""
        if isinstance(source, Fixed):
            read = self.scope.structure(source.value)
            return lambda environment, _: read(environment)
        if isinstance(source, Varying):
            reads = [self.scope.structure(x) for x in source.entries]
            return lambda environment, step: reads[step](environment)
        key, lag = (self.loop, source.place), source.lag
        self.scope.read.add(key)
        first = [self.scope.structure(x) for x in source.first]

        def earlier(environment: Environment, step: int) -> Any:
            if step < lag:
                return first[step](environment)
            return environment[key].at(step - lag)

        return earlier
