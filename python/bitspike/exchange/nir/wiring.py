"""Graphs of NIR while they become networks: units, and what is connected to what."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Size

from .equation import Equation
from .records import Edge, GraphRecord, Record
from .report import Report


@dataclass
class Unit:
    """A node, and what is known of it."""

    record: Record
    subtracts: bool = False
    """Whether its spikes subtract the threshold if it does not say otherwise."""
    shape: Size = Size(())
    """That of what it makes in a step, without the batch."""
    takes: Size = Size(())
    """That of what it is given."""
    equation: Equation | None = None
    """What it computes, if it has a state."""
    recurrent: Record | None = None
    """What its spikes go through before they come back, as a part of it."""

    @property
    def wanted(self) -> str:
        """The class that its metadata names."""
        return str(self.record.hint("neuron"))


class Wiring:
    """Units by their paths, and edges in both directions."""

    def __init__(self) -> None:
        self.units: dict[str, Unit] = {}
        self.before: dict[str, list[str]] = {}
        self.after: dict[str, list[str]] = {}

    @property
    def edges(self) -> list[Edge]:
        """All edges."""
        return [(a, b) for a, after in self.after.items() for b in after]

    def of_kind(self, *kinds: str) -> list[str]:
        """The units whose nodes are of these classes."""
        return [name for name, unit in self.units.items() if unit.record.kind in kinds]

    def add(self, name: str, unit: Unit) -> None:
        """A unit without edges."""
        self.units[name] = unit
        self.before[name], self.after[name] = [], []

    def connect(self, a: str, b: str) -> None:
        """One more edge."""
        self.after[a].append(b)
        self.before[b].append(a)

    def disconnect(self, a: str, b: str) -> None:
        """One edge less."""
        self.after[a].remove(b)
        self.before[b].remove(a)

    def remove(self, name: str) -> None:
        """A unit less, and its edges."""
        for a in list(self.before[name]):
            self.disconnect(a, name)
        for b in list(self.after[name]):
            self.disconnect(name, b)
        del self.units[name], self.before[name], self.after[name]

    def replace(self, names: list[str], new: str, unit: Unit) -> None:
        """One unit in the place of a chain: it takes what the first took, for who had the last's.

        Args:
            names: The chain, and after it what lies between its end and its beginning.
            new: The name of the new unit.
            unit: The new unit.
        """
        inner = set(names)
        before = [a for a in self.before[names[0]] if a not in inner]
        after = [b for name in names for b in self.after[name] if b not in inner]
        for name in names:
            self.remove(name)
        if new in self.units:
            new = names[0]
        self.add(new, unit)
        for a in before:
            self.connect(a, new)
        for b in after:
            self.connect(new, b)

    def put_in_front(self, name: str, new: str, unit: Unit) -> str:
        """A unit that takes all that another one was given, and hands on what it makes of it.

        Returns:
            Its name: another one if there is a unit of the wanted name.
        """
        while new in self.units:
            new += "_"
        self.add(new, unit)
        for a in list(self.before[name]):
            self.disconnect(a, name)
            self.connect(a, new)
        self.connect(new, name)
        return new


def flat(graph: GraphRecord, report: Report) -> Wiring:
    """A graph in which those inside it are opened, so that no node is a graph."""
    wiring = Wiring()
    _open(graph, "", wiring, report)
    for name in wiring.of_kind("Identity"):
        before, after = wiring.before[name], wiring.after[name]
        pairs = [(a, b) for a in before for b in after]
        if not any(b in wiring.after[a] for a, b in pairs) and len(set(pairs)) == len(pairs):
            wiring.remove(name)
            for a, b in pairs:
                wiring.connect(a, b)
    return wiring


def _open(graph: GraphRecord, path: str, wiring: Wiring, report: Report) -> None:
    for name, node in graph.nodes.items():
        own = f"{path}{name}"
        if isinstance(node, GraphRecord):
            _open(node, f"{own}.", wiring, report)
        elif own in wiring.units:
            report.refuse(own, "two nodes have this path; rename one of them")
        else:
            inside = path and node.kind in ("Input", "Output")
            record = Record("Identity", node.fields) if inside else node
            wiring.add(own, Unit(record, graph.subtracts))
    for a, b in _rewired(graph, path, report) if path else graph.edges:
        sender = _end(graph, a, path, "Output", report)
        receiver = _end(graph, b, path, "Input", report)
        if sender and receiver:
            wiring.connect(sender, receiver)


def _end(graph: GraphRecord, name: str, path: str, kind: str, report: Report) -> str:
    """The unit at which an edge begins or ends: for a graph inside the graph, its only end."""
    own, node = f"{path}{name}", graph.nodes[name]
    while isinstance(node, GraphRecord):
        ends = [
            (key, x) for key, x in node.nodes.items() if isinstance(x, Record) and x.kind == kind
        ]
        if len(ends) != 1:
            report.refuse(own, f"a graph inside a graph needs one {kind}, not {len(ends)}")
            return ""
        own, node = f"{own}.{ends[0][0]}", ends[0][1]
    return own


def _rewired(graph: GraphRecord, path: str, report: Report) -> list[Edge]:
    """The edges of a graph inside a graph, with those of a recurrent layer as they are meant.

    snnTorch leads the input of one not to the neurons, but through the recurrent weights.
    """
    kinds = {
        name: node.kind if isinstance(node, Record) else "NIRGraph"
        for name, node in graph.nodes.items()
    }
    for i, (a, b) in enumerate(graph.edges):
        if kinds[a] != "Input" or kinds[b] not in ("Linear", "Affine"):
            continue
        back = [n for n in kinds if (b, n) in graph.edges and (n, b) in graph.edges]
        into = [edge for edge in graph.edges if edge[1] in (b, *back)]
        if len(kinds) == 4 and len(back) == 1 and len(into) == 3:
            report.change(
                path + b, f"the input enters the recurrent weights; taken to be that of {back[0]}"
            )
            return [*graph.edges[:i], (a, back[0]), *graph.edges[i + 1 :]]
    return graph.edges
