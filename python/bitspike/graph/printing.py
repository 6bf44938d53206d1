"""Graphs as text."""

from __future__ import annotations

from typing import Any

from .loops import Earlier, Fixed, Loop, Place, Source, Varying, fold
from .values import Attribute, Constant, Input, Node, Output, Value


def show(graph: Any) -> str:
    """A captured program, one call a line; see `Graph`."""
    text = _Text()
    inputs = ", ".join(f"{x.name} {list(x.shape)}" for x in graph.inputs)
    lines = [f"{graph.name}({inputs}):"]
    for part in fold(graph.nodes):
        if isinstance(part, Loop):
            lines += text.loop(part)
        else:
            text.enter(part)
            lines.append(f"  {text.call(part, (part.args, part.kwargs))}")
    for module, attribute, value in graph.sets:
        path = f"{graph.modules.get(module, '')}.{attribute}".strip(".")
        lines.append(f"  {path} = {text.structure(value)}")
    return "\n".join([*lines, f"  return {text.structure(graph.result)}"])


class _Text:
    """The names of values, each of which is given once."""

    def __init__(self) -> None:
        self.names: dict[Value, str] = {}
        self.labels: dict[Value, str] = {}
        """Those of the calls that are shown; in a loop a name has a step as well."""
        self.taken: dict[str, int] = {}
        self.places: dict[Place, str] = {}
        """Those in the body of the loop that is shown."""
        self.steps: dict[Value, tuple[str, int, int]] = {}
        """What loops make: the name, the step, the number of steps."""

    def value(self, value: Any) -> str:
        if isinstance(value, Earlier | Fixed | Varying):
            return self.source(value)
        if isinstance(value, Output):
            return self.names[value]
        if isinstance(value, Input | Attribute):
            return value.name
        if isinstance(value, Constant):
            return f"constant {list(value.shape)}"
        return repr(value) if not callable(value) else getattr(value, "__name__", repr(value))

    def structure(self, structure: Any) -> str:
        whole = self.all_steps(structure)
        if whole:
            return whole
        if isinstance(structure, tuple | list):
            inside = ", ".join(self.structure(x) for x in structure)
            return f"[{inside}]" if isinstance(structure, list) else f"({inside})"
        if isinstance(structure, dict):
            return "{" + ", ".join(f"{k}: {self.structure(x)}" for k, x in structure.items()) + "}"
        if isinstance(structure, slice):
            parts = [self.value(x) for x in (structure.start, structure.stop)]
            return ":".join("" if x == "None" else x for x in parts)
        return self.value(structure)

    def all_steps(self, structure: Any) -> str:
        """A list of what a loop makes at all its steps, or nothing if this is something else."""
        if not isinstance(structure, tuple | list) or len(structure) < 3:
            return ""
        found = [self.steps.get(x) if isinstance(x, Output) else None for x in structure]
        if found[0] is None or found != [(found[0][0], t, len(found)) for t in range(len(found))]:
            return ""
        return f"{found[0][0]}[:]"

    def call(self, node: Node, arguments: tuple[Any, Any]) -> str:
        """One call, with its results on the left."""
        args, kwargs = arguments
        inside = [self.structure(x) for x in args]
        inside += [f"{name}={self.structure(x)}" for name, x in kwargs.items()]
        module = node.module
        what = node.name
        if module is not None and node.target is module:
            what = type(module).__name__
            inside += ["kept state"] if node.stateful is not None and not any(node.given) else []
        text = f"{what}({', '.join(inside)})"
        if node.name == "getitem" and len(args) == 2:
            text = f"{inside[0]}[{inside[1]}]"
        results = ", ".join(f"{self.labels[x]} {list(x.shape)}" for x in node.outputs)
        return f"{results} = {text}" if results else text

    def enter(self, node: Node) -> None:
        """Gives names to what a call makes."""
        for output in node.outputs:
            label = node.label(output)
            count = self.taken[label] = self.taken.get(label, 0) + 1
            self.labels[output] = label if count == 1 else f"{label}_{count}"
            self.names[output] = self.labels[output]

    def loop(self, loop: Loop) -> list[str]:
        """The body of a loop, once."""
        for calls in loop.body:
            self.enter(calls[0])
        self.places = {
            Place(position, i): self.labels[output]
            for position, calls in enumerate(loop.body)
            for i, output in enumerate(calls[0].outputs)
        }
        for output, (step, place) in loop.places.items():
            self.names[output] = f"{self.places[place]}[{step}]"
            self.steps[output] = self.places[place], step, loop.steps
        lines = [
            f"    {self.call(calls[0], loop.arguments(position))}"
            for position, calls in enumerate(loop.body)
        ]
        return [f"  for t in range({loop.steps}):", *lines]

    def source(self, source: Source) -> str:
        """An argument of a call in a loop."""
        if isinstance(source, Fixed):
            return self.structure(source.value)
        if isinstance(source, Varying):
            values = source.entries
            if values == tuple(range(len(values))):
                return "t"
            return f"{self.structure(values[0])}, ..., {self.structure(values[-1])}"
        name = self.places[source.place]
        if not source.lag:
            return name
        first = ", ".join(self.structure(x) for x in source.first)
        return f"{name}[t-{source.lag}] or {first}"
