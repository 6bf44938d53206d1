"""A graph of NIR while it is written: nodes, and values of a program on their way between them."""

from __future__ import annotations

from typing import Any

from torch import Size

from bitspike.graph import Node, Value

from ..steps import Previous, Step
from .clock import Clock
from .equation import number
from .errors import NIRError
from .order import arrange
from .records import Edge, GraphRecord, Record


class Draft:
    """Nodes by their names, and what enters them.

    A value of the program is what a node makes, or the sum of other values. Edges are drawn last,
    because what enters a node may be made by a later one, one step before.
    """

    def __init__(self, step: Step, clock: Clock) -> None:
        self.graph = GraphRecord()
        self.makers: dict[Value, str] = {}
        """What makes a value, if that is one node."""
        self.sums: dict[Value, list[Any]] = {}
        """The values of which another one is the sum."""
        self.membranes: dict[Value, str] = {}
        """States that no node gives, and whose they are."""
        self._shapes: dict[str, Size] = {}
        self._entering: list[tuple[Any, str, Node | None]] = []
        self._backward: set[Edge] = set()
        self._step, self._clock = step, clock
        self.makers[step.input] = self.add("input", ending("Input", step.shape), step.shape)

    def shape(self, value: Any) -> Size:
        """The shape of a value in a step, without the batch."""
        if value is self._step.input:
            return self._step.shape
        tensor = value.output if isinstance(value, Previous) else value
        return Size(tensor.shape[self._step.leading :])

    def add(self, wanted: str, record: Record | GraphRecord, shape: Size) -> str:
        """Adds a node that makes this shape, and returns its name."""
        name, count = wanted, 1
        while name in self.graph.nodes:
            count += 1
            name = f"{wanted}_{count}"
        self.graph.nodes[name] = record
        self._shapes[name] = shape
        return name

    def enter(self, value: Any, name: str, node: Node | None = None) -> None:
        """Notes that a value, or what a node makes, enters a node."""
        self._entering.append((value, name, node))

    def join(self, a: str, b: str, *, backward: bool = False) -> None:
        """An edge."""
        self.graph.edges.append((a, b))
        if backward:
            self._backward.add((a, b))

    def finish(self) -> None:
        """Draws the edges of all that enters.

        Raises:
            NIRError: for values that no node gives, and circles that NIR cannot say.
        """
        for value, name, node in self._entering:
            for source, before in self._sources(value, name, node):
                self._draw(source, name, before, node)
        order = arrange(self.graph.nodes, self.graph.edges, ["input"])
        for a, b in order.backward ^ self._backward:
            raise NIRError(
                f"{a} feeds {b} in a circle, and NIR does not say which of its edges is one step "
                "late; put a SynapticDelay of one step where it should be"
            )

    def _sources(self, value: Any, name: str, node: Node | None) -> list[tuple[str, bool]]:
        """The nodes whose sum a value is, and whether that of the step before."""
        if isinstance(value, str):
            return [(value, False)]
        before = isinstance(value, Previous)
        found = value.output if before else value
        if isinstance(found, Value) and found in self.sums:
            inner = [x for part in self.sums[found] for x in self._sources(part, name, node)]
            return [(source, before or earlier) for source, earlier in inner]
        if found in self.membranes:
            neuron = self.membranes[found]
            fault = f"the membrane of {neuron} enters {name}; only LI hands on its membrane"
            raise NIRError(located(node, fault))
        if found not in self.makers:
            raise NIRError(located(node, "it takes what no step makes"))
        return [(self.makers[found], before)]

    def _draw(self, a: str, b: str, before: bool, node: Node | None) -> None:
        """One edge, which carries what was a step before if it closes a circle."""
        if before and not self._leads(b, a):
            delay = number(self._clock.dt).expand(self._shapes[a]).contiguous()
            late = self.add(f"{a}_delay", Record("Delay", {"delay": delay}), self._shapes[a])
            self.join(a, late)
            a, before = late, False
        if (a, b) in self.graph.edges:
            raise NIRError(located(node, f"{a} is added to itself; multiply it by 2"))
        self.join(a, b, backward=before)

    def _leads(self, start: str, end: str) -> bool:
        """Whether what a node makes reaches another one within a step."""
        after: dict[str, list[str]] = {}
        for a, b in self.graph.edges:
            after.setdefault(a, []).append(b)
        for value, name, node in self._entering:
            for source, before in self._sources(value, name, node):
                if not before:
                    after.setdefault(source, []).append(name)
        seen, todo = {start}, [start]
        while todo:
            found = set(after.get(todo.pop(), ())) - seen
            seen |= found
            todo += found
        return end in seen


def ending(kind: str, shape: Size) -> Record:
    """An ``Input`` or an ``Output``."""
    return Record(kind, {"shape": tuple(shape)})


def located(node: Node | None, fault: str) -> str:
    """A fault with the module and the line that it concerns."""
    if node is None:
        return f"output: {fault}"
    where = f" ({node.line})" if node.line else ""
    return f"{node.name}{where}: {fault}"
