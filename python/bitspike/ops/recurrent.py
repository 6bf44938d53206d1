"""A recurrent layer: allocation and the native calls.

Currents, constants and states are as in ``sequence``, without a graded factor: a spike counts 1.
The connection is dense, ``weight`` and ``bias``, or one to one, ``one_to_one``; ``first`` is what
it makes of the spikes before the first step, shaped like one step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _native, buffer, matmul
from .call import Call, Constant, Inputs
from .route import routed
from .sequence import Layer, like_constant, of_tensors


class Feedback(NamedTuple):
    """A connection from a layer to itself, dense or one to one."""

    first: Tensor
    """The recurrent current of the first step, shaped like one step."""
    weight: Tensor | None = None
    """Of a dense connection, ``[N, N]``."""
    bias: Tensor | None = None
    """Its bias."""
    one_to_one: Tensor | None = None
    """The weight of a one-to-one connection. It broadcasts against one step."""


class OutputGradients(NamedTuple):
    """Gradients of what a layer returned, float32, of any strides; None is 0."""

    spikes: Tensor | None
    """Of the spikes of a sequence."""
    states: list[Tensor | None]
    """Per state, of its sequence."""
    last_spikes: Tensor | None
    last: list[Tensor | None]
    """Per state, of its last value."""


class Need(NamedTuple):
    """Which gradients are wanted, beside that of the current."""

    initial: bool
    constants: bool
    connection: bool
    """Those of ``weight`` and ``bias``, or of ``one_to_one``."""


class FeedbackArguments(NamedTuple):
    """A connection as the native module takes it, which knows these by their order."""

    dense: tuple[Tensor, Tensor | None] | None
    one_to_one: Constant | None
    first: Tensor


class _RecurrentLayer:
    """A layer and its connection with constants in the layout of the native module."""

    def __init__(self, call: Call, inputs: Inputs, feedback: Feedback) -> None:
        # A spike that comes back counts 1.
        self.neurons = Layer(call, inputs._replace(constants=[*inputs.constants, 1.0]))
        self.geometry = self.neurons.geometry
        first, weight, bias, one_to_one = feedback
        self.one_to_one = None if one_to_one is None else self.geometry.spread(one_to_one)
        dense = None if weight is None else (weight, bias)
        self.feedback = FeedbackArguments(dense, self.one_to_one, first)


def _flat_forward(call: Call, inputs: Inputs, feedback: Feedback) -> tuple[Any, ...]:
    return (*call.kind, call.sequence, call.states, *inputs, *feedback)


@routed(1, _flat_forward)
def forward(call: Call, inputs: Inputs, feedback: Feedback) -> list[Tensor]:
    """Runs a layer over at least one step.

    Returns:
        Of a sequence the spikes as words and, if asked for, each state over all steps; then the
        spikes and each state after the last step.
    """
    layer = _RecurrentLayer(call, inputs, feedback)
    current, _, initial = inputs
    sequence = call.sequence
    packed = [buffer.empty(layer.geometry.packed(), torch.int64)] if sequence else []
    wanted = sequence and call.states
    all_steps = [buffer.empty_like(current) for _ in initial] if wanted else []
    fired = buffer.empty_like(feedback.first)
    last = [buffer.empty_like(x) for x in initial]
    _native.recurrent_forward(
        layer.neurons.arguments,
        layer.feedback,
        packed=packed[0] if packed else None,
        states=all_steps or [None] * len(initial),
        last_spikes=fired,
        last=last,
    )
    return [*packed, *all_steps, fired, *last]


def _flat_backward(
    call: Call,
    inputs: Inputs,
    feedback: Feedback,
    words: Tensor | None,
    grads: OutputGradients,
    *,
    need: Need,
) -> tuple[Any, ...]:
    return (*call.kind, call.sequence, *need, *inputs, *feedback, words, *grads)


@routed(1, _flat_backward)
def backward(
    call: Call,
    inputs: Inputs,
    feedback: Feedback,
    words: Tensor | None,
    grads: OutputGradients,
    *,
    need: Need,
) -> list[Tensor | None]:
    """Sends gradients back through a layer.

    Args:
        call: As in :func:`forward`.
        inputs: Likewise.
        feedback: Likewise.
        words: The spikes of a sequence that :func:`forward` returned.
        grads: Of what it returned.
        need: Which gradients are wanted.

    Returns:
        Gradients of the current, whose first step is also that of ``first``; of ``weight``,
        ``bias`` and ``one_to_one``, without their part in ``first``; of each initial state and of
        each constant. None stands for one that is not wanted, of which the operator makes an empty
        tensor.
    """
    layer = _RecurrentLayer(call, inputs, feedback)
    current, constants, initial = inputs
    _, weight, bias, one_to_one = feedback
    geometry, neurons = layer.geometry, layer.neurons
    to_current = buffer.empty_like(current)
    to_initial = [buffer.empty_like(x) if need.initial else None for x in initial]
    to_constants: list[Tensor] = []
    learned = None
    if need.constants:
        to_constants = [like_constant(x) for x in neurons.constants[:-1]]
        *parameters, threshold = to_constants
        learned = (parameters, threshold)
    to_one_to_one = None
    if need.connection and layer.one_to_one is not None:
        to_one_to_one = like_constant(layer.one_to_one)
    _native.recurrent_backward(
        neurons.arguments,
        layer.feedback,
        surrogate=(call.kind.surrogate, call.kind.surrogate_parameters),
        spikes=grads.spikes,
        states=grads.states,
        last_spikes=grads.last_spikes,
        last=grads.last,
        current=to_current,
        initial=to_initial,
        learned=learned,
        one_to_one=to_one_to_one,
    )
    to_weight, to_bias = None, None
    if need.connection and weight is not None:
        if words is None:
            # Nothing came back yet.
            to_weight = buffer.empty_like(weight).zero_()
            to_bias = buffer.empty(weight.shape[:1]).zero_()
        else:
            to_weight, to_bias = _weight_gradient(words, to_current)
        if bias is None:
            to_bias = None
    pairs = zip(to_constants, constants, strict=need.constants)
    gathered = [geometry.gather(grad, x) for grad, x in pairs]
    if to_one_to_one is not None and one_to_one is not None:
        to_one_to_one = geometry.gather(to_one_to_one, one_to_one)
    unwanted = [None] * len(constants)
    return [
        *(to_current, to_weight, to_bias, to_one_to_one),
        *to_initial,
        *(gathered if need.constants else unwanted),
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
    need: Need,
    grads: Iterable[Tensor | None],
    *,
    traced: bool,
) -> tuple[Tensor, list[Tensor | None], list[Tensor | None], tuple[Tensor | None, ...]]:
    """Gradients of the current, the constants, the initial states and the connection.

    Those of the connection are of the feedback in the first step, the weight, the bias and the
    one-to-one weight.

    Args:
        call: What ran.
        values: What it saved: the current, the connection as in `Feedback`, constants, initial
            states, and the words of its spikes.
        need: Which gradients are wanted.
        grads: Of what forward returned.
        traced: Whether the call must be a torch operator.
    """
    current, first, weight, bias, one_to_one, *tensors, words = values
    inputs = of_tensors(call, (current, *tensors))
    others = list(grads)
    count = len(inputs.initial)
    to_spikes = others.pop(0) if call.sequence else None
    incoming = OutputGradients(
        spikes=to_spikes,
        states=others[:count] if call.sequence and call.states else [None] * count,
        last_spikes=others[-count - 1],
        last=others[-count:],
    )
    feedback = Feedback(first, weight, bias, one_to_one)
    to_current: Any  # which is always wanted
    run = backward if traced else backward.kernel
    to_current, *to_feedback = run(call, inputs, feedback, words, incoming, need=need)
    to_first = to_current[0] if call.sequence else to_current
    results = to_feedback[3:]
    return to_current, results[count:], results[:count], (to_first, *to_feedback[:3])
