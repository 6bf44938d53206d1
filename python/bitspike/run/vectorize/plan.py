"""A graph as a list of instructions, whose loops run over all steps at once where they can."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from bitspike.graph import Graph, Loop, Node, fold
from bitspike.graph.values import values_of

from .body import Body
from .environment import Environment, Key, Read, Scope
from .results import keeper, recording


class Instruction(NamedTuple):
    """A part of a plan."""

    run: Callable[[Environment], None]
    reads: frozenset[Key]


class Plan:
    """How a captured program runs.

    Args:
        graph: The program.
    """

    def __init__(self, graph: Graph) -> None:
        self.apart: dict[str, str] = {}
        """The calls that run step by step, with the reason for each."""
        parts = fold(graph.nodes)
        loops = [part for part in parts if isinstance(part, Loop)]
        self.scope = Scope(loops)
        uses = _uses(graph)
        instructions: list[Instruction] = []
        for part in parts:
            if isinstance(part, Node):
                self._add(instructions, self._call(part))
                continue
            body = Body(part, self.scope, uses)
            for run in body.instructions():
                self._add(instructions, run)
            self.apart |= body.apart
        self._sets = [(module, name, self.scope.structure(x)) for module, name, x in graph.sets]
        self._result = self.scope.structure(graph.result)
        kept, self.scope.read = self.scope.read, set()
        last: dict[Key, int] = {}
        for i, instruction in enumerate(instructions):
            last.update(dict.fromkeys(instruction.reads, i))
        frees: list[list[Key]] = [[] for _ in instructions]
        for key, i in last.items():
            if key not in kept:
                frees[i].append(key)
        self._instructions = [(x.run, free) for x, free in zip(instructions, frees, strict=True)]

    def __call__(self, args: Any, kwargs: Any) -> Any:
        """Runs the program."""
        environment = self.scope.enter(args, kwargs)
        for run, free in self._instructions:
            run(environment)
            for key in free:
                environment.pop(key, None)
        for module, name, read in self._sets:
            setattr(module, name, read(environment))
        return self._result(environment)

    def _add(self, instructions: list[Instruction], run: Callable[[Environment], None]) -> None:
        reads, self.scope.read = frozenset(self.scope.read), set()
        instructions.append(Instruction(run, reads))

    def _call(self, node: Node) -> Callable[[Environment], None]:
        """A call outside of loops."""
        stacked = self._stack(node)
        keep = keeper(node)
        if stacked is not None:

            def run_stack(environment: Environment) -> None:
                environment[node.outputs[0]] = stacked(environment)

            return run_stack
        args, kwargs = self.scope.structure(node.args), self.scope.structure(node.kwargs)

        def run(environment: Environment) -> None:
            with recording(node):
                result = node.target(*args(environment), **kwargs(environment))
            for output, tensor in keep(result):
                environment[output] = tensor

        return run

    def _stack(self, node: Node) -> Read | None:
        """A stack of what a loop makes at its steps: the sequence itself."""
        if node.target is not torch.stack:
            return None
        tensors, *further = node.args
        axes = [*further, *node.kwargs.values()] or [0]
        steps = self.scope.all_steps(tensors)
        if steps is None or len(axes) != 1 or type(axes[0]) is not int:
            return None
        first, axis = steps, axes[0] % len(node.outputs[0].shape)
        if axis == 0:
            return lambda environment: first(environment).whole()
        return lambda environment: first(environment).whole().movedim(0, axis)


def _uses(graph: Graph) -> Counter[Any]:
    """How often each value is used: as an argument, a result, an attribute."""
    structures: list[Any] = [graph.result, [value for _, _, value in graph.sets]]
    structures += [(node.args, node.kwargs) for node in graph.nodes]
    return Counter(value for structure in structures for value in values_of(structure))
