"""The body of a loop as instructions, each for all steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from bitspike.graph import Earlier, Fixed, Loop, Node, Place
from bitspike.graph.values import map_leaves
from bitspike.ops.route import has_hooks

from . import draws, slices, whole
from .arguments import Arguments, Instruction
from .environment import Environment, Scope
from .neurons import is_steppable_layer
from .order import continues_itself, parts
from .results import keeper, recording
from .steps import Steps


class Body:
    """What runs in the place of a loop.

    Args:
        loop: The loop.
        scope: Where its values are while the plan runs.
        uses: How often each value of the program is used.
    """

    def __init__(self, loop: Loop, scope: Scope, uses: Counter[Any]) -> None:
        self.loop = loop
        self.uses = uses
        self.arguments = Arguments(loop, scope)
        self.apart: dict[str, str] = {}
        """The calls that run step by step, with the reason for each."""
        self._records = torch.is_grad_enabled()
        self._drawn = draws.drawn_before(loop)
        """Calls whose random numbers are drawn before the loop."""

    def instructions(self) -> Iterator[Instruction]:
        """Them, in the order in which they run."""
        if self._drawn:
            yield draws.draw(self.arguments, self._drawn)
        for positions, is_loop in parts(self.loop):
            found = None
            if len(positions) == 1:
                found = self._assigned(positions[0]) if is_loop else self._whole(positions[0])
            if found is None:
                for position in positions:
                    node = self.arguments.node(position)
                    self.apart[node.name] = _reason(node, is_loop)
                found = self._step_by_step(positions)
            yield found

    def _whole(self, position: int) -> Instruction | None:
        """A call for all steps at once, or None if it must not run so."""
        node, arguments = self.arguments.node(position), self.arguments
        if _is_hooked(node):
            return None
        if self._is_static(position):
            found: Instruction | None = whole.once(arguments, position)
        elif position in self._drawn:
            found = draws.use(arguments, position)
        elif continues_itself(self.loop, position):
            found = whole.neuron(arguments, position, self.uses)
        elif is_steppable_layer(node.target):
            found = whole.layer(arguments, position, self.uses)
        else:
            found = slices.taken(arguments, position) or whole.by_rule(arguments, position)
        return self._recorded(node, found)

    def _assigned(self, position: int) -> Instruction | None:
        found = slices.assigned(self.arguments, position, self.uses)
        return self._recorded(self.arguments.node(position), found)

    def _recorded(self, node: Node, run: Instruction | None) -> Instruction | None:
        """An instruction on which autograd looks as it does on the call."""
        if run is None or node.records == self._records:
            return run
        inner = run

        def recorded(environment: Environment) -> None:
            with recording(node):
                inner(environment)

        return recorded

    def _is_static(self, position: int) -> bool:
        node = self.arguments.node(position)
        static = self.arguments.static
        fixed = not (node.draws or node.writes or node.stateful is not None) and all(
            isinstance(x, Fixed)
            or (isinstance(x, Earlier) and not x.lag and x.place.position in static)
            for x in self.arguments.sources(position)
        )
        if fixed:
            static.add(position)
        return fixed

    def _step_by_step(self, positions: Sequence[int]) -> Instruction:
        """Calls in a loop over time, each as often as the program has it."""
        loop, calls = self.loop, [self._single(position) for position in positions]
        places = [
            Place(position, output.index)
            for position in positions
            for output in self.arguments.node(position).outputs
        ]

        def run(environment: Environment) -> None:
            for place in places:
                environment[loop, place] = Steps(loop.steps, each=[])
            for step in range(loop.steps):
                for call in calls:
                    call(environment, step)

        return run

    def _single(self, position: int) -> Callable[[Environment, int], None]:
        """One step of a call."""
        loop, node = self.loop, self.arguments.node(position)
        readers = map_leaves(self.arguments.at_step, loop.arguments(position))
        keep, target, drawn = keeper(node), node.target, position in self._drawn
        numbers = loop, position
        if drawn:
            self.arguments.scope.read.add(numbers)

        def run(environment: Environment, step: int) -> None:
            args, kwargs = map_leaves(lambda read: read(environment, step), readers)
            if drawn:
                result = environment[numbers].at(step)
                result = result if draws.probability(node) is None else args[0] * result
            else:
                with recording(node):
                    result = target(*args, **kwargs)
            for output, tensor in keep(result):
                environment[loop, Place(position, output.index)].append(tensor)

        return run


def _reason(node: Node, is_loop: bool) -> str:
    """Why a call runs step by step."""
    if is_loop:
        return "it needs what a later call has made in the step before"
    if _is_hooked(node):
        return "it has hooks"
    if node.draws:
        return "it draws random numbers"
    return "it changes its buffers" if node.writes else "nothing is known of its steps together"


def _is_hooked(node: Node) -> bool:
    return node.module is not None and has_hooks(node.module)
