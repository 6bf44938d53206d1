"""The native functions as torch operators: the only file that uses ``torch.library``.

Eager code calls the functions directly, which costs less; what torch traces, compiles or runs on
fake tensors goes through the operators.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from . import matmul, recurrent, scan, sequence, spikes

_LIBRARY = torch.library.Library("bitspike", "DEF")
_LAYER = "str neuron, str mechanism, bool immediate, str surrogate, float[] surrogate_parameters"
_TENSORS = "Tensor current, Tensor[] constants, Tensor[] initial"
_FEEDBACK = "Tensor first, Tensor? weight, Tensor? bias, Tensor? one_to_one"


def _operator(
    schema: str,
    function: Callable[..., Any],
    fake: Callable[..., Any],
    gradient: tuple[Callable[..., None], Callable[..., Any]] | None = None,
) -> None:
    name = schema.partition("(")[0]
    _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _LIBRARY.impl(name, function, "CPU")
    torch.library.register_fake(f"bitspike::{name}", fake, lib=_LIBRARY)
    if gradient is not None:
        save, backward = gradient
        torch.library.register_autograd(
            f"bitspike::{name}", backward, setup_context=save, lib=_LIBRARY
        )


def _forward(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    *rest: Any,
) -> list[Tensor]:
    # The surrogate is there for the gradient.
    return sequence.forward(neuron, mechanism, immediate, *rest)


def _save_layer(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    *ctx.kind, ctx.sequence, _, ctx.states, current, constants, initial = inputs
    ctx.constants = len(constants)
    ctx.save_for_backward(current, *constants, *initial)


def _layer_gradient(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    current, *tensors = ctx.saved_tensors
    constants, initial = tensors[: ctx.constants], tensors[ctx.constants :]
    count = len(initial)
    spikes, *others = grads
    to_current, *results = torch.ops.bitspike.sequence_backward(
        *ctx.kind,
        ctx.sequence,
        *(True, True, True),
        current,
        constants,
        initial,
        spikes,
        others[:count] if ctx.states else [None] * count,
        others[-count:],
    )
    return (*[None] * 8, to_current, results[count:], results[:count])


def _save_scan(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    x, decay, key, initial, ctx.rectified = inputs
    ctx.need = [True, True, key is not None, initial is not None]
    ctx.save_for_backward(output, None if key is None else x, decay, key, initial)


def _scan_gradient(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    grads = torch.ops.bitspike.scan_backward(*ctx.saved_tensors, ctx.rectified, ctx.need, grad)
    return (*(x if needed else None for x, needed in zip(grads, ctx.need, strict=True)), None)


def _scan_backward_fake(
    outputs: Tensor,
    x: Tensor | None,
    decay: Tensor,
    key: Tensor | None,
    initial: Tensor | None,
    rectified: bool,
    need: list[bool],
    grad: Tensor,
) -> list[Tensor]:
    return [outputs.new_empty(shape) for shape in scan.gradient_shapes(outputs, decay, key, need)]


def _recurrent_forward(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    *rest: Any,
) -> list[Tensor]:
    # The surrogate is there for the gradient.
    return recurrent.forward(neuron, mechanism, immediate, *rest)


def _save_recurrent(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    *ctx.kind, ctx.sequence, ctx.states, current, constants, initial = inputs[:10]
    feedback = inputs[10:]
    ctx.constants = len(constants)
    spikes = output[0] if ctx.sequence else None
    ctx.save_for_backward(current, *feedback, spikes, *constants, *initial)


def _recurrent_gradient(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    current, first, weight, bias, one_to_one, spikes, *tensors = ctx.saved_tensors
    constants, initial = tensors[: ctx.constants], tensors[ctx.constants :]
    count = len(initial)
    others = list(grads)
    to_spikes = others.pop(0) if ctx.sequence else None
    to_current, to_weight, to_bias, to_one_to_one, *results = torch.ops.bitspike.recurrent_backward(
        *ctx.kind,
        ctx.sequence,
        *(True, True, True),
        current,
        constants,
        initial,
        *(first, weight, bias, one_to_one),
        spikes,
        to_spikes,
        others[:count] if ctx.sequence and ctx.states else [None] * count,
        others[-count - 1],
        others[-count:],
    )
    return (
        *[None] * 7,
        to_current,
        results[count:],
        results[:count],
        to_current[0] if ctx.sequence else to_current,
        None if weight is None else to_weight,
        None if bias is None else to_bias,
        None if one_to_one is None else to_one_to_one,
    )


def _save_product(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    words, ctx.neurons, _, bias = inputs
    ctx.biased = bias is not None
    ctx.save_for_backward(words)


def _product_gradient(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    (words,) = ctx.saved_tensors
    to_weights = torch.ops.bitspike.weight_gradient(words, ctx.neurons, grad).t()
    return None, None, to_weights, grad.sum(0) if ctx.biased else None


def _save_weight_gradient(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    words, ctx.neurons, _ = inputs
    ctx.save_for_backward(words)


def _weight_gradient_gradient(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    (words,) = ctx.saved_tensors
    return None, None, torch.ops.bitspike.product(words, ctx.neurons, grad.t(), None)


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


def _recurrent_forward_fake(
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


def _recurrent_backward_fake(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence_: bool,
    need_initial: bool,
    need_constants: bool,
    need_weight: bool,
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
        *(like(x, need_weight) for x in (weight, bias)),
        like(one_to_one, need_constants),
        *(like(x, need_initial) for x in initial),
        *(like(x, need_constants) for x in constants),
    ]


_operator(
    f"sequence_forward({_LAYER}, bool sequence, bool packed, bool states, {_TENSORS}) -> Tensor[]",
    _forward,
    _forward_fake,
    (_save_layer, _layer_gradient),
)
_operator(
    f"sequence_backward({_LAYER}, bool sequence, "
    f"bool need_current, bool need_initial, bool need_constants, {_TENSORS}, "
    "Tensor? grad_spikes, Tensor?[] grad_states, Tensor?[] grad_last) -> Tensor[]",
    sequence.backward,
    _backward_fake,
)
_operator(
    "scan_forward(Tensor x, Tensor decay, Tensor? key, Tensor? initial, bool rectified) -> Tensor",
    scan.forward,
    lambda x, decay, key, initial, rectified: x.new_empty(scan.output_shape(x, key)),
    (_save_scan, _scan_gradient),
)
_operator(
    "scan_backward(Tensor outputs, Tensor? x, Tensor decay, Tensor? key, Tensor? initial, "
    "bool rectified, bool[] need, Tensor grad) -> Tensor[]",
    scan.backward,
    _scan_backward_fake,
)
_operator(
    f"recurrent_forward({_LAYER}, bool sequence, bool states, {_TENSORS}, {_FEEDBACK}) -> Tensor[]",
    _recurrent_forward,
    _recurrent_forward_fake,
    (_save_recurrent, _recurrent_gradient),
)
_operator(
    f"recurrent_backward({_LAYER}, bool sequence, "
    f"bool need_initial, bool need_constants, bool need_weight, {_TENSORS}, {_FEEDBACK}, "
    "Tensor? spikes, Tensor? grad_spikes, Tensor?[] grad_states, Tensor? grad_last_spikes, "
    "Tensor?[] grad_last) -> Tensor[]",
    recurrent.backward,
    _recurrent_backward_fake,
)
_operator(
    "product(Tensor words, SymInt neurons, Tensor weights, Tensor? bias) -> Tensor",
    matmul.product,
    lambda words, neurons, weights, bias: weights.new_empty(words.shape[0], weights.shape[1]),
    (_save_product, _product_gradient),
)
_operator(
    "weight_gradient(Tensor words, SymInt neurons, Tensor grad) -> Tensor",
    matmul.weight_gradient,
    lambda words, neurons, grad: grad.new_empty(grad.shape[1], neurons),
    (_save_weight_gradient, _weight_gradient_gradient),
)
_operator(
    "unpack(Tensor words, SymInt neurons, ScalarType dtype) -> Tensor",
    spikes.unpack,
    lambda words, neurons, dtype: words.new_empty((*words.shape[:-1], neurons), dtype=dtype),
)
_operator(
    "count_axis(Tensor words, int axis, SymInt neurons) -> Tensor",
    spikes.count_axis,
    lambda words, axis, neurons: words.new_empty(
        (*words.shape[:axis], *words.shape[axis + 1 : -1], neurons), dtype=torch.float32
    ),
)
