"""Programs: the step of any neuron as arithmetic, allocation and the native calls.

Sequences are ``[T, B, *features]`` or ``[T, *features]``, or one step of any shape; states are
shaped like one step, and constants broadcast against it. What runs is described by
``rust/core/src/program/README.md``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _native, buffer
from .call import Constant, OutputGradients
from .route import routed
from .sequence import Geometry, like_constant
from .straight_line import Instruction, Program, parse


class Compiled(NamedTuple):
    """A program that has been checked and prepared."""

    program: Program
    text: str
    native: _native.Program


@functools.lru_cache(maxsize=1024)
def compile(program: Program) -> Compiled:
    """Checks a program and prepares it, for sequences of every size.

    Raises:
        ValueError: if an operation is unknown, has too few or too many operands, or one that is no
            earlier value, if a result is no value, or if not every state has a next value.
    """
    text = program.text()
    program = parse(text)
    if not program.sequences:
        raise ValueError("a program has one sequence at least, the current")
    sizes = (len(program.sequences), len(program.states), len(program.constants))
    native = _native.Program(ProgramArguments(sizes, *program[3:]))
    return Compiled(program, text, native)


class ProgramArguments(NamedTuple):
    """A program as the native module takes it, which knows these by their order."""

    sizes: tuple[int, int, int]
    """How many sequences, states and constants it has."""
    immediates: tuple[float, ...]
    code: tuple[Instruction, ...]
    spikes: int | None
    outputs: tuple[int, ...]
    next: tuple[int, ...]
    sums: tuple[int, ...]


class Call(NamedTuple):
    """A call of a program, but for its tensors."""

    compiled: Compiled
    sequence: bool
    """Whether the first axis of its sequences is time."""
    packed: bool = False
    """Whether spikes are returned as words instead of numbers."""
    states: bool = False
    """Whether the states of all steps are returned."""
    adjoint: Compiled | None = None
    """The adjoint of the program; None where there are no gradients."""


class Inputs(NamedTuple):
    """What a program runs on, float32."""

    sequences: Sequence[Tensor]
    """What changes from step to step: one step, or a sequence."""
    initial: Sequence[Tensor]
    """Per state, its value before the first step, shaped like one step."""
    constants: Sequence[Constant]
    """What stays; they broadcast against one step."""

    @property
    def current(self) -> Tensor:
        """The sequence whose shape the others have."""
        return self.sequences[0]


class Results(NamedTuple):
    """What :func:`forward` returns."""

    spikes: Tensor | None
    """Words if they are packed; None if the program has no spikes."""
    states: list[Tensor]
    """Per state, its values after all steps; empty if they were not asked for."""
    last: list[Tensor]
    """Per state, its value after the last step."""
    outputs: list[Tensor]
    """Per output, its values."""


class Need(NamedTuple):
    """Which gradients are wanted."""

    sequences: Sequence[bool]
    initial: bool
    constants: Sequence[bool]


class Gradients(NamedTuple):
    """What :func:`backward` returns: None for one that is not wanted."""

    sequences: list[Tensor | None]
    initial: list[Tensor | None]
    constants: list[Tensor | None]
    """In the constants' own shapes."""


class ProgramInputs(NamedTuple):
    """The inputs of a program as the native module takes them, which knows these by their order."""

    shape: tuple[int, int, int]
    """Steps, samples and neurons."""
    axes: tuple[bool, bool]
    """Whether sequences have an axis of time, and one of samples."""
    sequences: list[Tensor]
    initial: list[Tensor]
    constants: list[Constant]


class _Layer:
    """Inputs in the layout of the native module."""

    def __init__(self, call: Call, inputs: Inputs) -> None:
        current = inputs.current
        self.geometry = geometry = Geometry(current.shape, call.sequence, inputs.constants)
        self.constants = geometry.spread_all(inputs.constants)
        self.arguments = ProgramInputs(
            shape=(geometry.steps, geometry.samples, geometry.neurons),
            axes=(call.sequence, geometry.batched),
            sequences=list(inputs.sequences),
            initial=list(inputs.initial),
            constants=self.constants,
        )


def _flat_forward(call: Call, inputs: Inputs) -> tuple[Any, ...]:
    adjoint = call.adjoint and call.adjoint.text
    return (call.compiled.text, adjoint, *call[1:4], *map(list, inputs))


@routed(1, _flat_forward)
def forward(call: Call, inputs: Inputs) -> list[Tensor]:
    """Runs a program.

    Returns:
        The spikes if it has any, then, if asked for, each state over all steps, then each state
        after the last, then each output over all steps; :func:`split` tells them apart.
    """
    layer = _Layer(call, inputs)
    program, current = call.compiled.program, inputs.current
    packed = dense = None
    if program.spikes is not None:
        if call.packed:
            packed = buffer.empty(layer.geometry.packed(), torch.int64)
        else:
            dense = buffer.empty_like(current)
    states = [buffer.empty_like(current) for _ in program.states] if call.states else []
    last = [buffer.empty_like(x) for x in inputs.initial]
    outputs = [buffer.empty_like(current) for _ in program.outputs]
    _native.program_forward(
        call.compiled.native,
        layer.arguments,
        packed=packed,
        dense=dense,
        states=states if call.states else [None] * len(last),
        last=last,
        outputs=outputs,
    )
    spikes = [x for x in (packed, dense) if x is not None]
    return [*spikes, *states, *last, *outputs]


def split(call: Call, results: Sequence[Tensor]) -> Results:
    """The results of :func:`forward` by their names."""
    program, rest = call.compiled.program, list(results)
    spikes = None if program.spikes is None else rest.pop(0)
    count = len(program.states)
    states = [rest.pop(0) for _ in range(count)] if call.states else []
    return Results(spikes, states, rest[:count], rest[count:])


def output_gradients(call: Call, grads: Sequence[Tensor | None]) -> OutputGradients:
    """Gradients of the results of :func:`forward`, as :func:`backward` takes them.

    Raises:
        RuntimeError: if the program has outputs, of which an adjoint takes no gradients.
    """
    program, rest = call.compiled.program, list(grads)
    if program.outputs:
        raise RuntimeError("a program with outputs has no gradients")
    spikes = None if program.spikes is None else rest.pop(0)
    count = len(program.states)
    states = rest[:count] if call.states else None
    return OutputGradients(spikes, states or [None] * count, rest[len(rest) - count :])


def _flat_backward(
    call: Call, inputs: Inputs, grads: OutputGradients, need: Need
) -> tuple[Any, ...]:
    texts = (call.compiled.text, _adjoint(call).text)
    wanted = (list(need.sequences), need.initial, list(need.constants))
    return (*texts, call.sequence, *wanted, *map(list, inputs), *grads)


def _adjoint(call: Call) -> Compiled:
    if call.adjoint is None:
        raise ValueError("a program without its adjoint has no gradients")
    return call.adjoint


@routed(1, _flat_backward)
def backward(call: Call, inputs: Inputs, grads: OutputGradients, need: Need) -> list[Tensor | None]:
    """Sends gradients back through a program.

    Args:
        call: As in :func:`forward`; whether spikes or states were wanted does not matter. The
            adjoint runs from the last step to the first. Its sequences are those of the program,
            for each state its value before the step, the gradient of the spikes, and for each state
            the gradient of its value after the step; its states are the gradients that come from
            later steps, its constants those of the program. Its outputs are the gradients of the
            sequences, its sums those of the constants.
        inputs: As in :func:`forward`.
        grads: Of what :func:`forward` returned; outputs have none.
        need: Which gradients are wanted.

    Returns:
        Gradients of each sequence, of each initial state and of each constant, in the constant's
        own shape; None for one that is not wanted, of which the operator makes an empty tensor.
        :func:`gradients` tells them apart.

    Raises:
        ValueError: if there is no adjoint, or it has not these inputs and results.
    """
    adjoint = _adjoint(call)
    for name, wanted in (("sequences", need.sequences), ("constants", need.constants)):
        if len(wanted) != (count := len(getattr(inputs, name))):
            raise ValueError(f"need tells of {len(wanted)} {name}, but there are {count}")
    layer = _Layer(call, inputs)
    pairs = zip(inputs.sequences, need.sequences, strict=True)
    sequences = [buffer.empty_like(x) if wanted else None for x, wanted in pairs]
    initial = [buffer.empty_like(x) if need.initial else None for x in inputs.initial]
    spread = zip(layer.constants, need.constants, strict=True)
    constants = [like_constant(x) if wanted else None for x, wanted in spread]
    _native.program_backward(
        call.compiled.native,
        adjoint.native,
        layer.arguments,
        spikes=grads.spikes,
        states=grads.states,
        last=grads.last,
        sequences=sequences,
        initial=initial,
        constants=constants,
    )
    gathered = [
        None if grad is None else layer.geometry.gather(grad, x)
        for grad, x in zip(constants, inputs.constants, strict=True)
    ]
    return [*sequences, *initial, *gathered]


def gradients(call: Call, results: Sequence[Tensor | None]) -> Gradients:
    """The results of :func:`backward` by their names."""
    program, all_ = call.compiled.program, list(results)
    states = len(program.sequences)
    constants = states + len(program.states)
    return Gradients(all_[:states], all_[states:constants], all_[constants:])
