"""Whole layers of neurons as operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import sequence
from bitspike.ops.call import Call, Inputs, Kind, Need, OutputGradients

from ._operator import LAYER, TENSORS, Shapes, operator


def _forward(*arguments: Any) -> list[Tensor]:
    *kind, sequence_, packed, states = arguments[:8]
    inputs = Inputs(*arguments[8:])
    call = Call(Kind(*kind), sequence_, states, len(inputs.constants), packed)
    return sequence.forward.kernel(call, inputs)  # type: ignore[no-any-return]


def _backward(*arguments: Any) -> list[Tensor | None]:
    inputs, grads = Inputs(*arguments[9:12]), OutputGradients(*arguments[12:])
    call = Call(Kind(*arguments[:5]), arguments[5], True, len(inputs.constants))
    need = Need(*arguments[6:9])
    return sequence.backward.kernel(call, inputs, grads, need)  # type: ignore[no-any-return]


def _save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    *kind, sequence_, _, states, current, constants, initial = inputs
    ctx.call = Call(Kind(*kind), sequence_, states, len(constants))
    ctx.save_for_backward(current, *constants, *initial)


def _gradient(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    need = Need(current=True, initial=True, constants=True)
    found = sequence.gradients(ctx.call, ctx.saved_tensors, need, grads, traced=True)
    return (*[None] * 8, *found)


def _forward_fake(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence_: bool,
    packed: bool,
    states: bool,
    current: Tensor,
    constants: list[Tensor],
    initial: list[Tensor],
) -> list[Tensor]:
    geometry = sequence.Geometry(current.shape, sequence_, constants)
    if packed:
        out = current.new_empty(geometry.packed(), dtype=torch.int64)
    else:
        out = current.new_empty(current.shape)
    all_steps = [current.new_empty(current.shape) for _ in initial] if states else []
    return [out, *all_steps, *(current.new_empty(geometry.step) for _ in initial)]


def _backward_fake(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence_: bool,
    need_current: bool,
    need_initial: bool,
    need_constants: bool,
    current: Tensor,
    constants: list[Tensor],
    initial: list[Tensor],
    grad_spikes: Tensor | None,
    grad_states: list[Tensor | None],
    grad_last: list[Tensor | None],
) -> list[Tensor]:
    step = current.shape[1:] if sequence_ else current.shape
    shapes = [current.shape if need_current else (0,)]
    shapes += [step if need_initial else (0,) for _ in initial]
    shapes += [x.shape if need_constants else (0,) for x in constants]
    return [current.new_empty(shape) for shape in shapes]


def _forward_shapes(*arguments: Any) -> Shapes:
    return _input_shapes(arguments[5], Inputs(*arguments[8:]))


def _input_shapes(sequence_: bool, inputs: Inputs) -> Shapes:
    if len(inputs.constants) < 2:
        raise ValueError("constants must end with the threshold and the graded factor")
    current = inputs.current
    step = current.shape[1:] if sequence_ else current.shape
    return [("initial", x, step) for x in inputs.initial]


def _backward_shapes(*arguments: Any) -> Shapes:
    sequence_, inputs = arguments[5], Inputs(*arguments[9:12])
    current = inputs.current
    grad_spikes, grad_states, grad_last = arguments[12:]
    yield from _input_shapes(sequence_, inputs)
    yield "grad_spikes", grad_spikes, current.shape
    for x in grad_states:
        yield "grad_states", x, current.shape
    for x in grad_last:
        yield "grad_last", x, current.shape[1:] if sequence_ else current.shape


operator(
    f"sequence_forward({LAYER}, bool sequence, bool packed, bool states, {TENSORS}) -> Tensor[]",
    _forward,
    _forward_fake,
    _forward_shapes,
    (_save, _gradient),
)
operator(
    f"sequence_backward({LAYER}, bool sequence, "
    f"bool need_current, bool need_initial, bool need_constants, {TENSORS}, "
    "Tensor? grad_spikes, Tensor?[] grad_states, Tensor?[] grad_last) -> Tensor[]",
    _backward,
    _backward_fake,
    _backward_shapes,
)
