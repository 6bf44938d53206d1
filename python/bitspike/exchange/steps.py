"""One step of a captured program: its calls in order, and where their arguments come from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Size, nn

from bitspike.graph import (
    Constant,
    Earlier,
    Fixed,
    Graph,
    GraphError,
    Input,
    Loop,
    Node,
    Output,
    Place,
    Value,
    Varying,
    fold,
)
from bitspike.graph.values import leaves
from bitspike.layers import SynapticDelay
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.never_reset import NeverReset

_ZEROS = ("zeros", "zeros_like", "new_zeros")
_PICKS = ("getitem", "unbind", "iter", "select")


@dataclass(frozen=True)
class Previous:
    """What a call made one step before, and zero in the first step."""

    output: Output


@dataclass(frozen=True)
class Step:
    """One step of a program.

    In the place of the tensors of arguments stand `Input` for what comes into the step, `Output`
    for what a call of the step has made, `Previous`, and other values.
    """

    input: Input
    shape: Size
    """That of what comes into a step, without the batch."""
    leading: int
    """Axes in front of a neuron's: the batch, and time if the neurons take whole sequences."""
    calls: list[tuple[Node, tuple[Any, ...], dict[str, Any]]]
    results: list[Output]
    """What the program returns, or of what its results are stacked."""


def step_of(graph: Graph) -> Step:
    """The step that a program makes again and again.

    A program with one loop over time makes that loop's steps; one without a loop is itself a step,
    or, if its neurons take whole sequences, all steps at once.

    Raises:
        GraphError: for another program.
    """
    if len(graph.inputs) != 1:
        names = [x.name for x in graph.inputs]
        raise GraphError(f"a network for single steps takes one tensor, not {names}")
    parts = fold(graph.nodes)
    loops = [x for x in parts if isinstance(x, Loop) and any(_is_stateful(y[0]) for y in x.body)]
    if len(loops) > 1:
        raise GraphError("there are several loops over time")
    return _of_loop(graph, parts, loops[0]) if loops else _of_call(graph)


def _is_stateful(node: Node) -> bool:
    return node.stateful is not None


def _of_call(graph: Graph) -> Step:
    """A program that is a step by itself."""
    calls = []
    for node in graph.nodes:
        if node.module is not None and node.target is not node.module:
            continue  # a reset, which is the caller's here
        if any(_is_given(x) for x in node.given):
            raise GraphError(f"{node.name} is called with a state; keep it: init_hidden", node.line)
        calls.append((node, node.args, node.kwargs))
    sequences = {
        _takes_sequences(node.module)
        for node, *_ in calls
        if _is_stateful(node) or isinstance(node.module, NeverReset)
    }
    if len(sequences) > 1:
        raise GraphError("some neurons take single steps, and others whole sequences")
    leading = 2 if True in sequences else 1
    given = graph.inputs[0]
    results = [x for x in leaves(graph.result) if isinstance(x, Output)]
    return Step(given, given.shape[leading:], leading, calls, results)


def _takes_sequences(module: nn.Module | None) -> bool:
    """Whether a call of a module with states takes all steps."""
    if isinstance(module, SynapticDelay):
        return not module.step_mode
    return bool(getattr(module, "multi_step", False))


def _is_given(state: Value | None) -> bool:
    return state is not None and not is_rest(state)


def is_rest(state: Any) -> bool:
    """Whether a state is that before the first step."""
    if isinstance(state, Constant):
        return not torch.any(state.tensor)
    if isinstance(state, Output):
        node = state.node
        own = isinstance(node.module, SpikingNeuron) and node.target is not node.module
        return own or node.name in _ZEROS
    return state is None


class _Body:
    """The arguments of the calls of a loop."""

    def __init__(self, graph: Graph, loop: Loop) -> None:
        self.graph, self.loop = graph, loop
        self.shape: Size | None = None

    def output(self, place: Place) -> Output:
        """What stands for a place at all steps: the output of the first."""
        return self.loop.body[place.position][0].outputs[place.output]

    def resolved(self, source: Any, node: Node) -> Any:
        """What stands for an argument."""
        if isinstance(source, Earlier):
            output = self.output(source.place)
            if not source.lag:
                return output
            if source.lag > 1 or not all(is_rest(x) for x in source.first):
                raise GraphError("a value of earlier steps does not begin with zeros", node.line)
            return Previous(output)
        if isinstance(source, Fixed):
            if isinstance(source.value, Input):
                self.enters(source.value.shape[1:], node)
            return source.value
        if isinstance(source, Varying) and all(self.is_slice(x) for x in source.entries):
            self.enters(source.entries[0].shape[1:], node)
            return self.graph.inputs[0]
        if isinstance(source, Varying) and not any(isinstance(x, Value) for x in source.entries):
            return None  # the number of the step
        raise GraphError("an argument differs from step to step", node.line)

    def is_slice(self, value: Any) -> bool:
        """Whether a value is a step of the input."""
        return (
            isinstance(value, Output)
            and value.node.name in _PICKS
            and bool(value.node.args)
            and value.node.args[0] is self.graph.inputs[0]
        )

    def enters(self, shape: Size, node: Node) -> None:
        """Notes what comes into a step."""
        if self.shape not in (None, shape):
            raise GraphError("the input enters as a whole and step by step", node.line)
        self.shape = shape


def _of_loop(graph: Graph, parts: list[Node | Loop], loop: Loop) -> Step:
    """The step of a loop, with what is computed before it of an input that all steps share."""
    body = _Body(graph, loop)
    calls: list[tuple[Node, tuple[Any, ...], dict[str, Any]]] = []
    for position, nodes in enumerate(loop.body):
        node = nodes[0]
        if node.outputs and body.is_slice(node.outputs[0]):
            body.enters(node.outputs[0].shape[1:], node)
            calls.append((node, (graph.inputs[0],), {}))
            continue
        args, kwargs = (_mapped(body, x, node) for x in loop.arguments(position))
        for given in loop.given(position):
            _expect_rest(given, node)
        calls.append((node, args, kwargs))
    before = []
    for part in parts[: parts.index(loop)]:
        for node in part.nodes if isinstance(part, Loop) else [part]:
            if _is_stateful(node) and node.target is node.module:
                raise GraphError("a neuron runs before the loop over time", node.line)
            reads = any(isinstance(x, Input | Output) for x in leaves((node.args, node.kwargs)))
            if not reads or node.name in _ZEROS or any(body.is_slice(x) for x in node.outputs):
                continue
            if any(x is graph.inputs[0] for x in leaves((node.args, node.kwargs))):
                body.enters(graph.inputs[0].shape[1:], node)
            before.append((node, node.args, node.kwargs))
    if body.shape is None:
        raise GraphError("no step of the loop reads the input")
    return Step(
        graph.inputs[0], body.shape, 1, [*before, *calls], list(_results(graph, loop, body))
    )


def _expect_rest(source: Any, node: Node) -> None:
    """Checks that a neuron's states begin at rest and are its own."""
    if isinstance(source, Earlier):
        fine = source.lag == 1 and all(is_rest(x) for x in source.first)
    else:
        fine = isinstance(source, Fixed) and source.value is None
    if not fine:
        raise GraphError(f"a state of {node.name} does not begin at rest", node.line)


def _mapped(body: _Body, structure: Any, node: Node) -> Any:
    if isinstance(structure, tuple | list):
        return type(structure)(_mapped(body, x, node) for x in structure)
    if isinstance(structure, dict):
        return {name: _mapped(body, x, node) for name, x in structure.items()}
    if isinstance(structure, slice):
        return structure
    if node.stateful is not None and isinstance(structure, Earlier) and structure.lag:
        return None  # a state, which the neuron keeps
    return body.resolved(structure, node)


def _results(graph: Graph, loop: Loop, body: _Body) -> Iterator[Output]:
    """What the loop makes that the program returns, directly or stacked, each once."""
    seen = set()
    todo = list(leaves(graph.result))
    while todo:
        value = todo.pop(0)
        if not isinstance(value, Output):
            continue
        if value in loop.places:
            output = body.output(loop.places[value][1])
            if output not in seen:
                seen.add(output)
                yield output
        else:
            todo += leaves((value.node.args, value.node.kwargs))
