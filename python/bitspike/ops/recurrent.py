"""A recurrent layer: allocation and the native calls.

Currents, constants and states are as in ``sequence``, without a graded factor: a spike counts 1.
The connection is dense, ``weight`` and ``bias``, or one to one, ``one_to_one``; ``first`` is what
it makes of the spikes before the first step, shaped like one step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from . import _native, buffer, matmul
from .call import Call
from .route import routed
from .sequence import Constant, Layer, like_constant

_Feedback = tuple[tuple[Tensor, Tensor | None] | None, Constant | None, Tensor]


class _RecurrentLayer:
    """A layer as the native module takes it."""

    def __init__(
        self,
        kind: tuple[str, str, bool],
        sequence: bool,
        current: Tensor,
        constants: Sequence[Constant],
        initial: list[Tensor],
        first: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        one_to_one: Tensor | None,
    ) -> None:
        self.neurons = Layer(*kind, sequence, current, [*constants, 1.0], initial)
        self.geometry = self.neurons.geometry
        self.one_to_one = None if one_to_one is None else self.geometry.spread(one_to_one)
        self.feedback: _Feedback = (
            None if weight is None else (weight, bias),
            self.one_to_one,
            first,
        )


@routed(7)
def forward(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence: bool,
    states: bool,
    current: Tensor,
    constants: list[Tensor],
    initial: list[Tensor],
    first: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    one_to_one: Tensor | None,
) -> list[Tensor]:
    """Runs a layer over at least one step.

    Args:
        neuron: Its name in the registry.
        mechanism: The name of its reset.
        immediate: Whether the reset acts within the step that fires.
        surrogate: The name of the surrogate, for the operator's gradient alone.
        surrogate_parameters: Its parameters, likewise.
        sequence: Whether the first axis of ``current`` is time.
        states: Whether the states of all steps of a sequence are returned.
        current: The input, float32.
        constants: The neuron's parameters and the threshold, float32.
        initial: Per state, its value before the first step: shaped like one step, float32.
        first: The recurrent current of the first step.
        weight: Of a dense connection, ``[N, N]``.
        bias: Its bias.
        one_to_one: The weight of a one-to-one connection. It broadcasts against one step.

    Returns:
        Of a sequence the spikes as words and, if asked for, each state over all steps; then the
        spikes and each state after the last step.
    """
    layer = _RecurrentLayer(
        (neuron, mechanism, immediate),
        sequence,
        current,
        constants,
        initial,
        first,
        weight,
        bias,
        one_to_one,
    )
    packed = [buffer.empty(layer.geometry.packed(), torch.int64)] if sequence else []
    all_steps = [buffer.empty_like(current) for _ in initial] if sequence and states else []
    fired = buffer.empty_like(first)
    last = [buffer.empty_like(x) for x in initial]
    _native.recurrent_forward(
        layer.neurons.arguments,
        layer.feedback,
        packed[0] if packed else None,
        all_steps or [None] * len(initial),
        fired,
        last,
    )
    return [*packed, *all_steps, fired, *last]


@routed(9)
def backward(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence: bool,
    need_initial: bool,
    need_constants: bool,
    need_weight: bool,
    current: Tensor,
    constants: Sequence[Constant],
    initial: list[Tensor],
    first: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    one_to_one: Tensor | None,
    spikes: Tensor | None,
    grad_spikes: Tensor | None,
    grad_states: list[Tensor | None],
    grad_last_spikes: Tensor | None,
    grad_last: list[Tensor | None],
) -> list[Tensor | None]:
    """Sends gradients back through a layer.

    Args:
        neuron: As in :func:`forward`, and so are the following.
        mechanism: The name of the reset.
        immediate: Whether it acts within the step that fires.
        surrogate: The name of the surrogate.
        surrogate_parameters: Its parameters.
        sequence: Whether the first axis of ``current`` is time.
        current: The input.
        constants: The neuron's parameters and the threshold.
        initial: Per state, its value before the first step.
        first: The recurrent current of the first step.
        weight: Of a dense connection.
        bias: Its bias.
        one_to_one: The weight of a one-to-one connection.
        spikes: The words that :func:`forward` returned.
        need_initial: Whether the gradients of the initial states are wanted.
        need_constants: Whether those of the constants and of ``one_to_one`` are.
        need_weight: Whether those of ``weight`` and ``bias`` are.
        grad_spikes: Gradient of the spikes of a sequence, float32, any strides.
        grad_states: Per state, the gradient of its sequence.
        grad_last_spikes: Gradient of the last spikes.
        grad_last: Per state, the gradient of its last value.

    Returns:
        Gradients of the current, whose first step is also that of ``first``; of ``weight``,
        ``bias`` and ``one_to_one``, without their part in ``first``; of each initial state and of
        each constant. None stands for one that is not wanted, of which the operator makes an empty
        tensor.
    """
    layer = _RecurrentLayer(
        (neuron, mechanism, immediate),
        sequence,
        current,
        constants,
        initial,
        first,
        weight,
        bias,
        one_to_one,
    )
    geometry, neurons = layer.geometry, layer.neurons
    to_current = buffer.empty_like(current)
    to_initial = [buffer.empty_like(x) if need_initial else None for x in initial]
    to_constants: list[Tensor] = []
    to_one_to_one = None
    learned = None
    if need_constants:
        to_constants = [like_constant(x) for x in neurons.constants[:-1]]
        *parameters, threshold = to_constants
        if layer.one_to_one is not None:
            to_one_to_one = like_constant(layer.one_to_one)
        learned = (parameters, threshold, to_one_to_one)
    _native.recurrent_backward(
        neurons.arguments,
        layer.feedback,
        (surrogate, surrogate_parameters),
        grad_spikes,
        grad_states,
        grad_last_spikes,
        grad_last,
        to_current,
        to_initial,
        learned,
    )
    to_weight, to_bias = None, None
    if need_weight and weight is not None:
        if spikes is None:
            # The feedback of a single step is made outside of the call: no gradient in it.
            to_weight = buffer.empty_like(weight).zero_()
            to_bias = buffer.empty(weight.shape[:1]).zero_()
        else:
            to_weight, to_bias = _weight_gradient(spikes, to_current)
        if bias is None:
            to_bias = None
    pairs = zip(to_constants, constants, strict=need_constants)
    gathered = [geometry.gather(grad, x) for grad, x in pairs]
    if to_one_to_one is not None and one_to_one is not None:
        to_one_to_one = geometry.gather(to_one_to_one, one_to_one)
    unwanted = [None] * len(constants)
    return [
        *(to_current, to_weight, to_bias, to_one_to_one),
        *to_initial,
        *(gathered if need_constants else unwanted),
    ]


def _weight_gradient(spikes: Tensor, to_current: Tensor) -> tuple[Tensor, Tensor | None]:
    """Gradients of weight and bias: those of currents times the spikes of the step before."""
    neurons = to_current.shape[-1]
    words, grad = spikes[:-1], to_current[1:]
    rows = math.prod(grad.shape[:-1])
    words = words.reshape(rows, words.shape[-1])
    return matmul.linear_gradient(words, neurons, grad.reshape(rows, neurons), True)


def gradients(
    call: Call,
    values: Sequence[Any],
    need: tuple[bool, bool, bool],
    grads: Iterable[Tensor | None],
) -> tuple[Tensor, list[Tensor | None], list[Tensor | None], tuple[Tensor | None, ...]]:
    """Gradients of the current, the constants, the initial states and the connection.

    Those of the connection are of the feedback in the first step, the weight, the bias and the
    one-to-one weight.

    Args:
        call: What ran.
        values: What it saved.
        need: Whether gradients of initial states, of constants and of weights are wanted.
        grads: Of what forward returned.
    """
    current, first, weight, bias, one_to_one, spikes, *tensors = values
    constants, initial = tensors[: call.constants], tensors[call.constants :]
    others = list(grads)
    count = len(initial)
    to_spikes = others.pop(0) if call.sequence else None
    to_current: Any  # which is always wanted
    to_current, *to_feedback = backward(
        *call.kind,
        call.sequence,
        *need,
        current,
        constants,
        initial,
        *(first, weight, bias, one_to_one),
        spikes,
        to_spikes,
        others[:count] if call.sequence and call.states else [None] * count,
        others[-count - 1],
        others[-count:],
    )
    to_first = to_current[0] if call.sequence else to_current
    results = to_feedback[3:]
    return to_current, results[count:], results[:count], (to_first, *to_feedback[:3])
