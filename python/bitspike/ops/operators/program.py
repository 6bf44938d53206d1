"""Programs of neurons as operators, which they cross as text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import program
from bitspike.ops.call import OutputGradients
from bitspike.ops.sequence import Geometry
from bitspike.ops.straight_line import parse

from ._operator import Shapes, operator

_TENSORS = "Tensor[] sequences, Tensor[] initial, Tensor[] constants"


def _compiled(text: str) -> program.Compiled:
    return program.compile(parse(text))


def _call(
    text: str, adjoint: str | None, sequence: bool, packed: bool = False, states: bool = False
) -> program.Call:
    of_adjoint = None if adjoint is None else _compiled(adjoint)
    return program.Call(_compiled(text), sequence, packed, states, of_adjoint)


def _forward(*arguments: Any) -> list[Tensor]:
    inputs = program.Inputs(*arguments[5:])
    return program.forward.kernel(_call(*arguments[:5]), inputs)  # type: ignore[no-any-return]


def _backward(*arguments: Any) -> list[Tensor | None]:
    call, need = _call(*arguments[:3]), program.Need(*arguments[3:6])
    inputs, grads = program.Inputs(*arguments[6:9]), OutputGradients(*arguments[9:])
    return program.backward.kernel(call, inputs, grads, need)  # type: ignore[no-any-return]


def _save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    ctx.call = inputs[:5]
    ctx.counts = [len(x) for x in inputs[5:]]
    ctx.save_for_backward(*(x for tensors in inputs[5:] for x in tensors))


def _gradient(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    call = _call(*ctx.call)
    tensors = list(ctx.saved_tensors)
    inputs = program.Inputs(*([tensors.pop(0) for _ in range(count)] for count in ctx.counts))
    need = program.Need([True] * ctx.counts[0], True, [True] * ctx.counts[2])
    found = program.backward(call, inputs, program.output_gradients(call, grads), need)
    return (*[None] * 5, *program.gradients(call, found))


def _forward_fake(
    text: str,
    adjoint: str | None,
    sequence: bool,
    packed: bool,
    states: bool,
    sequences: list[Tensor],
    initial: list[Tensor],
    constants: list[Tensor],
) -> list[Tensor]:
    described, current = parse(text), sequences[0]
    geometry = Geometry(current.shape, sequence, constants)
    spikes = []
    if described.spikes is not None:
        words = current.new_empty(geometry.packed(), dtype=torch.int64) if packed else None
        spikes = [current.new_empty(current.shape) if words is None else words]
    all_steps = [current.new_empty(current.shape) for _ in initial] if states else []
    last = [current.new_empty(geometry.step) for _ in initial]
    return [
        *spikes,
        *all_steps,
        *last,
        *(current.new_empty(current.shape) for _ in described.outputs),
    ]


def _backward_fake(
    text: str,
    adjoint: str,
    sequence: bool,
    need_sequences: list[bool],
    need_initial: bool,
    need_constants: list[bool],
    sequences: list[Tensor],
    initial: list[Tensor],
    constants: list[Tensor],
    grad_spikes: Tensor | None,
    grad_states: list[Tensor | None],
    grad_last: list[Tensor | None],
) -> list[Tensor]:
    wanted = [*need_sequences, *[need_initial] * len(initial), *need_constants]
    pairs = zip([*sequences, *initial, *constants], wanted, strict=True)
    return [x.new_empty(x.shape if need else (0,)) for x, need in pairs]


def _input_shapes(sequence: bool, sequences: list[Tensor], initial: list[Tensor]) -> Shapes:
    if not sequences:
        raise ValueError("sequences must begin with the current")
    current = sequences[0]
    for x in sequences:
        yield "sequences", x, current.shape
    for x in initial:
        yield "initial", x, current.shape[1:] if sequence else current.shape


def _forward_shapes(*arguments: Any) -> Shapes:
    return _input_shapes(arguments[2], *arguments[5:7])


def _backward_shapes(*arguments: Any) -> Shapes:
    sequence, (sequences, initial) = arguments[2], arguments[6:8]
    grad_spikes, grad_states, grad_last = arguments[9:]
    yield from _input_shapes(sequence, sequences, initial)
    yield "grad_spikes", grad_spikes, sequences[0].shape
    for x in grad_states:
        yield "grad_states", x, sequences[0].shape
    for x in grad_last:
        yield "grad_last", x, sequences[0].shape[1:] if sequence else sequences[0].shape


operator(
    "program_forward(str program, str? adjoint, bool sequence, bool packed, bool states, "
    f"{_TENSORS}) -> Tensor[]",
    _forward,
    _forward_fake,
    _forward_shapes,
    (_save, _gradient),
)
operator(
    "program_backward(str program, str adjoint, bool sequence, bool[] need_sequences, "
    f"bool need_initial, bool[] need_constants, {_TENSORS}, "
    "Tensor? grad_spikes, Tensor?[] grad_states, Tensor?[] grad_last) -> Tensor[]",
    _backward,
    _backward_fake,
    _backward_shapes,
)
