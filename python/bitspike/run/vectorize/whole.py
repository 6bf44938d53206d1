"""Calls for all steps at once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from bitspike.graph import Earlier, Node, Output, Place, Varying
from bitspike.graph.values import leaves, map_leaves

from .arguments import Arguments, Instruction
from .environment import Environment
from .neurons import run_neuron
from .results import keeper
from .rules import rule
from .steps import Steps


def once(arguments: Arguments, position: int) -> Instruction:
    """A call that is the same at all steps."""
    node, loop = arguments.node(position), arguments.loop
    args, kwargs = (arguments.filled(x) for x in loop.arguments(position))
    keep = keeper(node)

    def run(environment: Environment) -> None:
        result = node.target(*args(environment), **kwargs(environment))
        for output, tensor in keep(result):
            environment[loop, Place(position, output.index)] = Steps.same(tensor, loop.steps)

    return run


def by_rule(arguments: Arguments, position: int) -> Instruction | None:
    """A call for which there is a rule."""
    node, loop = arguments.node(position), arguments.loop
    given = loop.arguments(position)
    of_one_step = map_leaves(arguments.typical, given)
    if any(isinstance(x, Varying | Earlier) for x in leaves(of_one_step)):
        return None
    function = rule(node, *of_one_step)
    if function is None:
        return None
    found = function
    args, kwargs = (arguments.filled(x) for x in given)
    key = loop, Place(position, 0)

    def run(environment: Environment) -> None:
        environment[key] = Steps(loop.steps, found(*args(environment), **kwargs(environment)))

    return run


def neuron(arguments: Arguments, position: int, uses: Counter[Any]) -> Instruction | None:
    """A neuron that continues its own states.

    Args:
        arguments: Of the loop.
        position: Of the call.
        uses: How often each value of the program is used.
    """
    node, loop = arguments.node(position), arguments.loop
    current = arguments.sequence(arguments.sources(position)[0])
    if current is None:
        return None
    found = current
    given = loop.given(position)
    first = [
        arguments.scope.structure(x.first[0] if isinstance(x, Earlier) else None) for x in given
    ]
    # Each state that is passed is used once by the neuron itself.
    passed = any(isinstance(x, Earlier) for x in given)
    wanted = any(
        uses[output] > int(passed)
        for call in loop.body[position][:-1]
        for output in call.outputs
        if _state_of(call, output) is not None
    )
    outputs = [(Place(position, x.index), _state_of(node, x)) for x in node.outputs]

    def run(environment: Environment) -> None:
        initial = [read(environment) for read in first]
        result = run_neuron(node.target, found(environment).whole(), initial, wanted)
        for place, i in outputs:
            if i is None:
                environment[loop, place] = Steps(loop.steps, result.spikes)
            else:
                states = result.states[i] if wanted else None
                environment[loop, place] = Steps(loop.steps, states, last=result.last[i])

    return run


def _state_of(node: Node, output: Output) -> int | None:
    """Which state of a neuron an output is; None for its spikes."""
    names = node.stateful.STATES if node.stateful is not None else ()
    for i, (name, state) in enumerate(zip(names, node.states, strict=True)):
        if state is output and name != "spk":
            return i
    return None


def layer(arguments: Arguments, position: int, uses: Counter[Any]) -> Instruction | None:
    """A layer that keeps its state itself."""
    node, loop = arguments.node(position), arguments.loop
    sources = arguments.sources(position)
    is_state_used = any(uses[x] for call in loop.body[position] for x in call.outputs[1:])
    sequence = arguments.sequence(sources[0]) if len(sources) == 1 else None
    if sequence is None or is_state_used:
        return None
    found = sequence
    key = loop, Place(position, 0)

    def run(environment: Environment) -> None:
        environment[key] = Steps(loop.steps, node.target.run_sequence(found(environment).whole()))

    return run
