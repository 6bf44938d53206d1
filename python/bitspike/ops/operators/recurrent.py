"""Recurrent layers as operators."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from bitspike.ops import recurrent, sequence
from bitspike.ops.call import Call, Inputs, Kind

from ._operator import LAYER, TENSORS, Shapes, operator

_FEEDBACK = "Tensor first, Tensor? weight, Tensor? bias, Tensor? one_to_one"


def _forward(*arguments: Any) -> list[Tensor]:
    *kind, sequence_, states = arguments[:7]
    inputs, feedback = Inputs(*arguments[7:10]), recurrent.Feedback(*arguments[10:])
    call = Call(Kind(*kind), sequence_, states, len(inputs.constants))
    return recurrent.forward.kernel(call, inputs, feedback)  # type: ignore[no-any-return]


def _backward(*arguments: Any) -> list[Tensor | None]:
    inputs, feedback = Inputs(*arguments[9:12]), recurrent.Feedback(*arguments[12:16])
    call = Call(Kind(*arguments[:5]), arguments[5], True, len(inputs.constants))
    words, *grads = arguments[16:]
    return recurrent.backward.kernel(  # type: ignore[no-any-return]
        call,
        inputs,
        feedback,
        words,
        recurrent.OutputGradients(*grads),
        need=recurrent.Need(*arguments[6:9]),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    *kind, sequence_, states, current, constants, initial = inputs[:10]
    feedback = inputs[10:]
    ctx.call = Call(Kind(*kind), sequence_, states, len(constants))
    words = output[0] if sequence_ else None
    ctx.save_for_backward(current, *feedback, *constants, *initial, words)


def _gradient(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    need = recurrent.Need(initial=True, constants=True, connection=True)
    saved = ctx.saved_tensors
    *results, feedback = recurrent.gradients(ctx.call, saved, need, grads, traced=True)
    given = (x is not None for x in saved[1:5])
    return (
        *[None] * 7,
        *results,
        *(x if there else None for x, there in zip(feedback, given, strict=True)),
    )


def _forward_fake(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence_: bool,
    states: bool,
    current: Tensor,
    constants: list[Tensor],
    initial: list[Tensor],
    *feedback: Tensor | None,
) -> list[Tensor]:
    geometry = sequence.Geometry(current.shape, sequence_, constants)
    packed = [current.new_empty(geometry.packed(), dtype=torch.int64)] if sequence_ else []
    all_steps = [current.new_empty(current.shape) for _ in initial] if sequence_ and states else []
    return [*packed, *all_steps, *(current.new_empty(geometry.step) for _ in (0, *initial))]


def _backward_fake(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence_: bool,
    need_initial: bool,
    need_constants: bool,
    need_connection: bool,
    current: Tensor,
    constants: list[Tensor],
    initial: list[Tensor],
    first: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    one_to_one: Tensor | None,
    *rest: Any,
) -> list[Tensor]:
    def like(x: Tensor | None, wanted: bool) -> Tensor:
        return current.new_empty(x.shape if wanted and x is not None else (0,))

    return [
        like(current, True),
        *(like(x, need_connection) for x in (weight, bias, one_to_one)),
        *(like(x, need_initial) for x in initial),
        *(like(x, need_constants) for x in constants),
    ]


def _forward_shapes(*arguments: Any) -> Shapes:
    feedback = recurrent.Feedback(*arguments[10:])
    return _input_shapes(arguments[5], Inputs(*arguments[7:10]), feedback)


def _input_shapes(sequence_: bool, inputs: Inputs, feedback: recurrent.Feedback) -> Shapes:
    if not inputs.constants:
        raise ValueError("constants must end with the threshold")
    current = inputs.current
    first, weight, bias, _ = feedback
    step = current.shape[1:] if sequence_ else current.shape
    yield "first", first, step
    for x in inputs.initial:
        yield "initial", x, step
    if weight is not None:
        yield "weight", weight, (step[-1], step[-1])
    yield "bias", bias, step[-1:]


def _backward_shapes(*arguments: Any) -> Shapes:
    sequence_, inputs = arguments[5], Inputs(*arguments[9:12])
    feedback = recurrent.Feedback(*arguments[12:16])
    current, constants, _ = inputs
    first = feedback.first
    spikes, grad_spikes, grad_states, grad_last_spikes, grad_last = arguments[16:]
    yield from _input_shapes(sequence_, inputs, feedback)
    if sequence_:
        if spikes is None:
            raise ValueError("spikes must be those of the sequence, not None")
        yield "spikes", spikes, sequence.Geometry(current.shape, True, constants).packed()
    yield "grad_spikes", grad_spikes, current.shape
    for x in grad_states:
        yield "grad_states", x, current.shape
    yield "grad_last_spikes", grad_last_spikes, first.shape
    for x in grad_last:
        yield "grad_last", x, first.shape


operator(
    f"recurrent_forward({LAYER}, bool sequence, bool states, {TENSORS}, {_FEEDBACK}) -> Tensor[]",
    _forward,
    _forward_fake,
    _forward_shapes,
    (_save, _gradient),
)
operator(
    f"recurrent_backward({LAYER}, bool sequence, "
    f"bool need_initial, bool need_constants, bool need_connection, {TENSORS}, {_FEEDBACK}, "
    "Tensor? spikes, Tensor? grad_spikes, Tensor?[] grad_states, Tensor? grad_last_spikes, "
    "Tensor?[] grad_last) -> Tensor[]",
    _backward,
    _backward_fake,
    _backward_shapes,
)


# What the connection would take in torch: a product with the weight for each step behind the first,
# whose spikes come from outside.
@register_flop_formula(torch.ops.bitspike.recurrent_forward)
def _forward_flops(*shapes: Any, out_shape: Any = None, **_: Any) -> int:
    return _product(sequence_=shapes[5], current=shapes[7], weight=shapes[11])


@register_flop_formula(torch.ops.bitspike.recurrent_backward)
def _backward_flops(*shapes: Any, out_shape: Any = None, **_: Any) -> int:
    product = _product(sequence_=shapes[5], current=shapes[9], weight=shapes[13])
    need_connection = shapes[8]
    return product * (2 if need_connection else 1)


def _product(sequence_: bool, current: list[int], weight: list[int] | None) -> int:
    if weight is None or not sequence_:
        return 0
    rows = math.prod(current[:-1]) // max(current[0], 1) * max(current[0] - 1, 0)
    return 2 * rows * math.prod(weight)
