"""The body of a loop as instructions, each for all steps."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bitspike.graph import (
    Earlier,
    Fixed,
    Loop,
    Node,
    Output,
    Place,
    Source,
    Value,
    Varying,
    with_entry,
)
from bitspike.graph.values import leaves, map_leaves
from bitspike.ops.route import has_hooks

from .environment import Environment, Read, Scope
from .neurons import is_steppable_layer, run_neuron
from .order import continues_itself, is_dropout, is_kept, parts
from .results import keeper, recording
from .rules import Moving, rule
from .steps import Steps

Instruction = Callable[[Environment], None]


class Body:
    """What runs in the place of a loop.

    Args:
        loop: The loop.
        scope: Where its values are while the plan runs.
        uses: How often each value of the program is used.
    """

    def __init__(self, loop: Loop, scope: Scope, uses: Counter[Any]) -> None:
        self.loop = loop
        self.scope = scope
        self.uses = uses
        self.apart: dict[str, str] = {}
        """The calls that run step by step, with the reason for each."""
        self._records = torch.is_grad_enabled()
        self._static: set[int] = set()
        """Calls that are the same at all steps."""
        draws = [i for i, calls in enumerate(loop.body) if calls[0].draws]
        masked = draws and all(is_dropout(loop.body[i][0]) for i in draws)
        self._masked = draws if masked else []
        """Dropouts whose masks are drawn before the loop."""

    def instructions(self) -> Iterator[Instruction]:
        """Them, in the order in which they run."""
        if self._masked:
            yield self._masks()
        for part in parts(self.loop):
            (first, *others) = part.positions
            whole = self._assigned(first) if part.is_loop else self._whole(first)
            whole = None if others else whole
            if whole is None:
                for i in part.positions:
                    node = self.loop.body[i][0]
                    self.apart[node.name] = _reason(node, part.is_loop)
                whole = self._step_by_step(part.positions)
            yield whole

    def _whole(self, position: int) -> Instruction | None:
        """A call for all steps at once, or None if there is no rule for it."""
        node = self.loop.body[position][0]
        if _is_hooked(node):
            return None
        if self._is_static(position):
            found: Instruction | None = self._once(position)
        elif continues_itself(self.loop, position):
            found = self._neuron(position)
        elif is_steppable_layer(node.target):
            found = self._layer(position)
        elif position in self._masked:
            found = self._dropout(position)
        else:
            found = self._slices(position) or self._by_rule(position)
        return found if found is None or node.records == self._records else _recorded(node, found)

    def _is_static(self, position: int) -> bool:
        node = self.loop.body[position][0]
        fixed = not (node.draws or node.writes or node.stateful is not None) and all(
            isinstance(x, Fixed)
            or (isinstance(x, Earlier) and not x.lag and x.place.position in self._static)
            for x in self._sources(position)
        )
        if fixed:
            self._static.add(position)
        return fixed

    def _sources(self, position: int) -> list[Source]:
        return list(leaves(self.loop.arguments(position)))

    def _once(self, position: int) -> Instruction:
        """A call that is the same at all steps."""
        node, steps = self.loop.body[position][0], self.loop.steps
        args, kwargs = (self._filled(x) for x in self.loop.arguments(position))
        keep = keeper(node)

        def run(environment: Environment) -> None:
            result = node.target(*args(environment), **kwargs(environment))
            for output, tensor in keep(result):
                key = self.loop, Place(position, output.index)
                environment[key] = Steps.same(tensor, steps)

        return run

    def _neuron(self, position: int) -> Instruction | None:
        """A neuron over the whole sequence."""
        node, loop = self.loop.body[position][0], self.loop
        current = self._sequence(self._sources(position)[0])
        if current is None:
            return None
        given = loop.given(position)
        passed = not is_kept(given)
        first = [
            self.scope.structure(x.first[0] if isinstance(x, Earlier) else None) for x in given
        ]
        wanted = self._wants_states(position, passed)
        # Of what a neuron returns, and keeps, each tensor is the spikes or a state.
        spikes = node.outputs[0]
        states = [
            (i, Place(position, state.index))
            for i, state in enumerate(node.states)
            if isinstance(state, Output) and state.node is node and state is not spikes
        ]

        def run(environment: Environment) -> None:
            initial = [read(environment) for read in first]
            result = run_neuron(node.target, current(environment).whole(), initial, wanted)
            environment[loop, Place(position, 0)] = Steps(loop.steps, result.spikes)
            for i, place in states:
                whole = result.states[i] if wanted else None
                environment[loop, place] = Steps(loop.steps, whole, last=result.last[i])

        return run

    def _wants_states(self, position: int, passed: bool) -> bool:
        """Whether anything but the neuron itself uses states of other steps than the last."""
        return any(
            isinstance(state, Output)
            and state is not node.outputs[0]
            and self.uses[state] > int(passed)
            for node in self.loop.body[position][:-1]
            for state in node.states
        )

    def _layer(self, position: int) -> Instruction | None:
        """A layer that keeps its state itself, over the whole sequence."""
        node = self.loop.body[position][0]
        sources = self._sources(position)
        used = any(self.uses[x] for call in self.loop.body[position] for x in call.outputs[1:])
        sequence = self._sequence(sources[0]) if len(sources) == 1 and not used else None
        if sequence is None:
            return None
        found = sequence
        key = self.loop, Place(position, 0)

        def run(environment: Environment) -> None:
            whole = node.target.run_sequence(found(environment).whole())
            environment[key] = Steps(self.loop.steps, whole)

        return run

    def _masks(self) -> Instruction:
        """Masks of dropout of all steps, drawn in the order of the program."""
        nodes = [(i, self.loop.body[i][0]) for i in self._masked]

        def run(environment: Environment) -> None:
            masks: dict[int, list[Tensor]] = {i: [] for i, _ in nodes}
            for _ in range(self.loop.steps):
                for i, node in nodes:
                    ones = torch.ones(node.outputs[0].shape, dtype=node.outputs[0].dtype)
                    masks[i].append(F.dropout(ones, node.target.p))
            for i, drawn in masks.items():
                environment[self.loop, i] = Steps(self.loop.steps, each=drawn)

        return run

    def _dropout(self, position: int) -> Instruction | None:
        sequence = self._sequence(self._sources(position)[0])
        if sequence is None:
            return None
        found = sequence
        mask, key = (self.loop, position), (self.loop, Place(position, 0))
        self.scope.read.add(mask)

        def run(environment: Environment) -> None:
            product = found(environment).whole() * environment[mask].whole()
            environment[key] = Steps(self.loop.steps, product)

        return run

    def _slices(self, position: int) -> Instruction | None:
        """The steps of a tensor along one of its axes, one after another."""
        node = self.loop.body[position][0]
        args, kwargs = self.loop.arguments(position)
        if kwargs or node.name not in ("getitem", "select"):
            return None
        base, *indices = args
        if not isinstance(base, Fixed) or not isinstance(base.value, Value):
            return None
        rank = len(base.value.shape)
        found = _axis_of(indices[0], rank) if node.name == "getitem" else _selected(indices, rank)
        if found is None:
            return None
        axis, steps = found
        read, key = self.scope.structure(base.value), (self.loop, Place(position, 0))

        def run(environment: Environment) -> None:
            x = read(environment)
            x = x.movedim(axis, 0) if axis else x
            environment[key] = Steps(self.loop.steps, _taken(x, steps))

        return run

    def _assigned(self, position: int) -> Instruction | None:
        """A tensor into which a loop writes step by step, and which nothing reads meanwhile."""
        calls, loop = self.loop.body[position], self.loop
        args, kwargs = loop.arguments(position)
        if calls[0].target is not with_entry or kwargs or len(args) != 3:
            return None
        base, index, value = args
        place = Place(position, 0)
        base_is_own = isinstance(base, Earlier) and (base.place, base.lag) == (place, 1)
        if not base_is_own or any(self.uses[call.outputs[0]] > 1 for call in calls[:-1]):
            return None
        found = _axis_of(index, len(calls[0].outputs[0].shape))
        if found is None or not isinstance(value, Earlier | Fixed | Varying):
            return None
        values = self._sequence(value)
        axis, steps = found
        shape = list(calls[0].outputs[0].shape)
        del shape[axis]
        if values is None or self._step_shape(value) != torch.Size(shape):
            return None
        sequence, first = values, self.scope.structure(base.first[0])
        before = (slice(None),) * axis

        def run(environment: Environment) -> None:
            x = first(environment).clone()
            whole = sequence(environment).whole()
            x[(*before, torch.tensor(steps))] = whole.movedim(0, axis).to(x.dtype)
            environment[loop, place] = Steps(loop.steps, last=x)

        return run

    def _step_shape(self, source: Source) -> torch.Size | None:
        if isinstance(source, Fixed):
            return source.value.shape if isinstance(source.value, Value) else None
        return self._shape(source)

    def _by_rule(self, position: int) -> Instruction | None:
        node = self.loop.body[position][0]
        arguments = self.loop.arguments(position)
        shapes = map_leaves(self._typical, arguments)  # of one step
        if any(isinstance(x, Varying | Earlier) for x in leaves(shapes)):
            return None
        whole = rule(node, *shapes)
        if whole is None:
            return None
        function = whole
        args, kwargs = (self._filled(x) for x in arguments)
        key = self.loop, Place(position, 0)

        def run(environment: Environment) -> None:
            result = function(*args(environment), **kwargs(environment))
            environment[key] = Steps(self.loop.steps, result)

        return run

    def _typical(self, source: Source) -> Any:
        """An argument for a rule: a number, a value, `Moving`, or what a rule cannot take."""
        if isinstance(source, Fixed):
            return source.value
        if isinstance(source, Earlier) and not source.lag and source.place.position in self._static:
            return self.loop.body[source.place.position][0].outputs[source.place.output]
        shape = self._shape(source)
        return source if shape is None else Moving(shape)

    def _shape(self, source: Source) -> torch.Size | None:
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

    def _sequence(self, source: Source) -> Callable[[Environment], Steps] | None:
        """What finds an argument as `Steps`; None if it is no sequence."""
        if isinstance(source, Fixed):
            if not isinstance(source.value, Value):
                return None
            read, count = self.scope.structure(source.value), self.loop.steps
            return lambda environment: Steps.same(read(environment), count)
        if self._shape(source) is None:
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

    def _filled(self, structure: Any) -> Read:
        """What fills arguments with sequences, and with what is the same at all steps."""

        def read(source: Source) -> Read:
            steps = None if isinstance(source, Fixed) else self._sequence(source)
            if steps is None:
                assert isinstance(source, Fixed)
                return self.scope.structure(source.value)
            static = isinstance(self._typical(source), Value)
            if static:
                return lambda environment: steps(environment).one
            return lambda environment: steps(environment).whole()

        reads = map_leaves(read, structure)
        return lambda environment: map_leaves(lambda x: x(environment), reads)

    def _step_by_step(self, positions: Sequence[int]) -> Instruction:
        """Calls in a loop over time, each as often as the program has it."""
        calls = [self._single(position) for position in positions]
        places = [
            Place(position, output.index)
            for position in positions
            for output in self.loop.body[position][0].outputs
        ]

        def run(environment: Environment) -> None:
            for place in places:
                environment[self.loop, place] = Steps(self.loop.steps, each=[])
            for step in range(self.loop.steps):
                for call in calls:
                    call(environment, step)

        return run

    def _single(self, position: int) -> Callable[[Environment, int], None]:
        """One step of a call."""
        node = self.loop.body[position][0]
        arguments = map_leaves(self._at_step, self.loop.arguments(position))
        keep = keeper(node)
        target: Any = node.target
        if position in self._masked:
            mask = self.loop, position
            self.scope.read.add(mask)

        def run(environment: Environment, step: int) -> None:
            args, kwargs = map_leaves(lambda read: read(environment, step), arguments)
            if position in self._masked:
                result = args[0] * environment[mask].at(step)
            else:
                with recording(node):
                    result = target(*args, **kwargs)
            for output, tensor in keep(result):
                environment[self.loop, Place(position, output.index)].append(tensor)

        return run

    def _at_step(self, source: Source) -> Callable[[Environment, int], Any]:
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


def _recorded(node: Node, run: Instruction) -> Instruction:
    """An instruction on which autograd looks as it does on the call."""

    def recorded(environment: Environment) -> None:
        with recording(node):
            run(environment)

    return recorded


def _taken(x: Tensor, steps: Sequence[int]) -> Tensor:
    """Some entries of a tensor along its first axis, which lie equally far from each other."""
    start, stop = steps[0], steps[-1]
    stride = steps[1] - start if len(steps) > 1 else 1
    if (start, stop, stride) == (0, len(x) - 1, 1):
        return x
    if stride > 0:
        return x[start : stop + 1 : stride]
    return x[stop : start + 1 : -stride].flip(0)


def _axis_of(index: Any, rank: int) -> tuple[int, tuple[int, ...]] | None:
    """The axis that an index goes along step by step, and the entries that it takes."""
    entries = index if isinstance(index, tuple) else (index,)
    if any(isinstance(x, tuple | list) for x in entries):
        return None
    moving = [i for i, x in enumerate(entries) if isinstance(x, Varying)]
    if len(moving) != 1 or not all(_is_all(x) for i, x in enumerate(entries) if i != moving[0]):
        return None
    place = moving[0]
    dots = [i for i, x in enumerate(entries) if isinstance(x, Fixed) and x.value is ...]
    axis = place
    if dots and dots[0] < place:
        axis = rank - (len(entries) - place)
    return _from(axis, entries[place], rank)


def _is_all(index: Any) -> bool:
    """Whether an index takes a whole axis."""
    if isinstance(index, slice):
        bounds = index.start, index.stop, index.step
        return all(isinstance(x, Fixed) and x.value is None for x in bounds)
    return isinstance(index, Fixed) and index.value is ...


def _selected(indices: Sequence[Any], rank: int) -> tuple[int, tuple[int, ...]] | None:
    if len(indices) != 2 or not isinstance(indices[0], Fixed):
        return None
    return _from(indices[0].value % rank, indices[1], rank)


def _from(axis: int, index: Any, rank: int) -> tuple[int, tuple[int, ...]] | None:
    if not isinstance(index, Varying) or not 0 <= axis < rank:
        return None
    numbers = index.entries
    if not all(type(x) is int and x >= 0 for x in numbers):
        return None
    strides = {b - a for a, b in itertools.pairwise(numbers)} or {1}
    return (axis, numbers) if len(strides) == 1 and strides != {0} else None
