"""Random numbers of a loop that are drawn before it, in the order of the program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.graph import Fixed, Loop, Node, Place
from bitspike.graph.values import leaves
from bitspike.ops.route import has_hooks

from .arguments import Arguments, Instruction
from .environment import Environment
from .steps import Steps


def drawn_before(loop: Loop) -> list[int]:
    """The calls that draw random numbers, if all can do so before the loop.

    They can if what they draw depends on no number that the loop computes: dropouts draw a mask,
    ``torch.rand`` and the like all that they return.
    """
    draws = [i for i, calls in enumerate(loop.body) if calls[0].draws]
    return draws if all(_is_free(loop, i) for i in draws) else []


def _is_free(loop: Loop, position: int) -> bool:
    if probability(loop.body[position][0]) is not None:
        return True
    node = loop.body[position][0]
    fixed = all(isinstance(x, Fixed) for x in leaves(loop.arguments(position)))
    return fixed and node.module is None and len(node.outputs) == 1


def probability(node: Node) -> float | None:
    """That of a dropout whose mask depends on nothing but the shape of its input."""
    if not (node.draws and node.on_cpu and node.args):
        return None
    if type(node.target) is nn.Dropout and not has_hooks(node.target):
        return node.target.p
    if node.target is not F.dropout:
        return None
    named: dict[str, Any] = dict(zip(("p", "training"), node.args[1:], strict=False)) | node.kwargs
    return float(named.get("p", 0.5))


def draw(arguments: Arguments, positions: Sequence[int]) -> Instruction:
    """Draws for all steps, in the order of the program."""
    loop = arguments.loop
    calls = []
    for position in positions:
        node = arguments.node(position)
        args, kwargs = (arguments.filled(x) for x in loop.arguments(position))
        is_dropout = probability(node) is not None
        calls.append((position, node, None if is_dropout else (args, kwargs)))

    def run(environment: Environment) -> None:
        drawn: dict[int, list[Tensor]] = {position: [] for position in positions}
        for _ in range(loop.steps):
            for position, node, filled in calls:
                if filled is None:
                    value = node.outputs[0]
                    ones = torch.ones(value.shape, dtype=value.dtype)
                    found = F.dropout(ones, probability(node) or 0.0)
                else:
                    args, kwargs = filled
                    found = node.target(*args(environment), **kwargs(environment))
                drawn[position].append(found)
        for position, each in drawn.items():
            environment[loop, position] = Steps(loop.steps, each=each)

    return run


def use(arguments: Arguments, position: int) -> Instruction | None:
    """A call whose random numbers were drawn before."""
    loop, node = arguments.loop, arguments.node(position)
    numbers, key = (loop, position), (loop, Place(position, 0))
    arguments.scope.read.add(numbers)
    if probability(node) is None:

        def take(environment: Environment) -> None:
            environment[key] = environment[numbers]

        return take
    sequence = arguments.sequence(arguments.sources(position)[0])
    if sequence is None:
        return None
    found = sequence

    def multiply(environment: Environment) -> None:
        product = found(environment).whole() * environment[numbers].whole()
        environment[key] = Steps(loop.steps, product)

    return multiply
