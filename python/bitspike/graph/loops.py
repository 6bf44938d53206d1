"""Finding the loops of a program among its calls."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .values import Node, Output, Value, leaves


class Place(NamedTuple):
    """An output of a call in the body of a loop, at whatever step."""

    position: int
    output: int


@dataclass(frozen=True)
class Earlier:
    """A value that a call of the same loop makes, in the same step or some steps before."""

    place: Place
    lag: int
    first: tuple[Any, ...]
    """What stands for it in the first ``lag`` steps."""


@dataclass(frozen=True)
class Fixed:
    """A value from outside of the loop, or a number, that is the same at all steps."""

    value: Any


@dataclass(frozen=True)
class Varying:
    """What differs from step to step in any other way: one entry for each."""

    entries: tuple[Any, ...]


Source = Earlier | Fixed | Varying
"""Where an argument of a call in a loop comes from."""


@dataclass(eq=False)
class Loop:
    """Steps that make the same calls one after another."""

    body: list[list[Node]]
    """For each call of a step, the calls of all steps."""
    places: dict[Output, tuple[int, Place]]
    """For what the loop makes, the step and the place."""

    @property
    def steps(self) -> int:
        """How many steps it has."""
        return len(self.body[0])

    @property
    def nodes(self) -> Iterator[Node]:
        """Its calls in the order in which they ran."""
        for step in zip(*self.body, strict=True):
            yield from step

    def arguments(self, position: int) -> tuple[Any, Any]:
        """The arguments of a call of the body, positional and named, with a source for each."""
        calls = self.body[position]
        return self.merged([x.args for x in calls]), self.merged([x.kwargs for x in calls])

    def given(self, position: int) -> tuple[Source, ...]:
        """The states that are passed to a call of the body, likewise."""
        given = [node.given for node in self.body[position]]
        return tuple(self.source(x) for x in zip(*given, strict=True))

    def merged(self, structures: Sequence[Any]) -> Any:
        """Structures of all steps as one, with a source for each of its leaves."""
        first = structures[0]
        if not all(type(x) is type(first) for x in structures):
            return self.source(structures)
        if isinstance(first, tuple | list):
            if not all(len(x) == len(first) for x in structures):
                return self.source(structures)
            entries = [self.merged(x) for x in zip(*structures, strict=True)]
            return entries if isinstance(first, list) else tuple(entries)
        if isinstance(first, dict):
            if not all(x.keys() == first.keys() for x in structures):
                return self.source(structures)
            return {key: self.merged([x[key] for x in structures]) for key in first}
        if isinstance(first, slice):
            return slice(
                self.source([x.start for x in structures]),
                self.source([x.stop for x in structures]),
                self.source([x.step for x in structures]),
            )
        return self.source(structures)

    def source(self, entries: Sequence[Any]) -> Source:
        """Where an argument comes from that is these values or numbers at the steps."""
        found = [self.places.get(x) if isinstance(x, Output) else None for x in entries]
        lag = next((t for t, place in enumerate(found) if place is not None), None)
        if lag is None:
            same = all(_same(x, entries[0]) for x in entries)
            return Fixed(entries[0]) if same else Varying(tuple(entries))
        _, place = found[lag] or (0, Place(0, 0))
        if all(entry == (t, place) for t, entry in enumerate(found[lag:])):
            return Earlier(place, lag, tuple(entries[:lag]))
        return Varying(tuple(entries))


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Value) or isinstance(b, Value):
        return a is b
    return a is b or (type(a) is type(b) and bool(a == b))


def fold(nodes: Sequence[Node]) -> list[Node | Loop]:
    """The calls of a program with its loops found again.

    A loop is what repeats the same calls, at the same places of the program, at least twice. Its
    first step is left outside if it makes other calls than the rest.

    Args:
        nodes: The calls, in the order in which they ran.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> layer = nn.Linear(3, 2)
        >>> def program(x):
        ...     return torch.stack([layer(x_t) for x_t in x])
        >>> graph = snn.graph.capture(program, torch.rand(5, 4, 3))
        >>> [getattr(part, "steps", 1) for part in snn.graph.fold(graph.nodes)]
        [1, 5, 1]
    """
    if len(nodes) < 2:
        return list(nodes)
    start, period, count = _longest(_numbered([_token(node) for node in nodes]))
    if count < 2:
        return list(nodes)
    end = start + period * count
    body = [list(nodes[start + i : end : period]) for i in range(period)]
    places = {
        output: (t, Place(position, i))
        for position, calls in enumerate(body)
        for t, node in enumerate(calls)
        for i, output in enumerate(node.outputs)
    }
    return [*fold(nodes[:start]), Loop(body, places), *fold(nodes[end:])]


def _token(node: Node) -> Hashable:
    """What is equal for the calls that one place of the program makes at different steps."""
    what: Hashable = node.name if node.module is None else (id(node.module), node.name)
    shapes = tuple((output.shape, output.dtype) for output in node.outputs)
    kinds = tuple(isinstance(x, Value | None) for x in leaves((node.args, node.kwargs)))
    return node.site, what, shapes, kinds, node.records, node.draws, node.writes


def _numbered(tokens: Sequence[Hashable]) -> list[int]:
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(token, len(numbers)) for token in tokens]


def _longest(tokens: Sequence[int]) -> tuple[int, int, int]:
    """The repetition that covers most: where it starts, its period, how often it occurs."""
    last: dict[int, int] = {}
    periods = set()
    for i, token in enumerate(tokens):
        if token in last:
            periods.add(i - last[token])
        last[token] = i
    best = (0, 0, 0, 1)
    for period in periods:
        run = 0
        for i in range(len(tokens) - period + 1):
            if i < len(tokens) - period and tokens[i] == tokens[i + period]:
                run += 1
                continue
            count = (run + period) // period
            # What is left over belongs in front: a first step that differs.
            start = i + period - count * period
            best = max(best, (count * period, -period, -start, count)) if run >= period else best
            run = 0
    covered, period, start, count = best
    return -start, -period, count if covered else 0
