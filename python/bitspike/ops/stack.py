"""Linear layers with their neurons, one behind another: allocation and the native call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import _native, buffer
from .call import Call, Constant, Inputs
from .sequence import Layer
from .spikes import words


class LinearLayer(NamedTuple):
    """A linear layer and the neurons that it drives."""

    weight: Tensor
    """``[N, inputs]``"""
    bias: Tensor | None
    call: Call
    """Of the neurons, for a packed sequence."""
    constants: Sequence[Constant]
    initial: list[Tensor]
    """Per state, ``[B, N]``."""


class Fired(NamedTuple):
    """What a layer computes."""

    words: Tensor
    """Its spikes, ``[T, B, words(N)]``."""
    last: list[Tensor]
    """Per state, its value after the last step, ``[B, N]``."""


class Arriving(NamedTuple):
    """What comes to a layer on the way back, and what is wanted of it."""

    words: Tensor
    """The spikes that entered it, ``[T, B, words]``."""
    last: Sequence[Tensor | None]
    """Per state, the gradient of its value after the last step, ``[B, N]``; None is 0."""
    need: Sequence[bool]
    """Of weight, bias and each initial state."""


class Sent(NamedTuple):
    """The gradients of a layer; None where one is not wanted."""

    weight: Tensor | None
    bias: Tensor | None
    initial: list[Tensor | None]


def forward(packed: Tensor, layers: Sequence[LinearLayer]) -> list[Fired] | None:
    """Runs layers on the words ``[T, B, words]`` of spikes; None if a weight is not finite.

    Products add the weights of active inputs at any density.
    """
    shape = packed.shape[:2]
    described = [_described(layer, *shape) for layer in layers]
    outputs = []
    for layer in layers:
        fired = buffer.empty((*shape, words(layer.weight.shape[0])), torch.int64)
        outputs.append(Fired(fired, [buffer.empty_like(x) for x in layer.initial]))
    entering = (*shape, layers[0].weight.shape[1])
    return outputs if _native.stack_forward(packed, entering, described, outputs) else None


def backward(
    layers: Sequence[LinearLayer],
    arriving: Sequence[Arriving],
    grad: Tensor | None,
    *,
    need_spikes: bool,
    at_a_time: int,
) -> tuple[Tensor | None, list[Sent]]:
    """Sends the gradient ``[T, B, N]`` of the last layer's spikes back through all layers.

    Args:
        layers: As in :func:`forward`.
        arriving: What comes to each.
        grad: May have any strides; None is 0.
        need_spikes: Whether the gradient of the spikes that entered the first layer is wanted.
        at_a_time: Samples that go through the layers together.

    Returns:
        The gradient of the spikes that entered the first layer, and those of each layer.
    """
    shape = arriving[0].words.shape[:2]
    described = []
    sent = []
    for layer, (entered, last, need) in zip(layers, arriving, strict=True):
        to_weight, to_bias, *to_initial = need
        found = Sent(
            buffer.empty_like(layer.weight) if to_weight else None,
            buffer.empty((layer.weight.shape[0],)) if to_bias else None,
            [
                buffer.empty_like(x) if wanted else None
                for x, wanted in zip(layer.initial, to_initial, strict=True)
            ],
        )
        surrogate = layer.call.kind.surrogate, layer.call.kind.surrogate_parameters
        way = (surrogate, entered, last, (found.weight, found.bias), found.initial)
        described.append((_described(layer, *shape), way))
        sent.append(found)
    entering = (*shape, layers[0].weight.shape[1])
    spikes = buffer.empty(entering) if need_spikes else None
    _native.stack_backward(entering, described, grad, spikes, at_a_time)
    return spikes, sent


def _described(layer: LinearLayer, steps: int, samples: int) -> tuple[Any, ...]:
    """A layer as the native module takes it."""
    # Only the shape of the current counts.
    current = layer.weight.new_empty(1).expand(steps, samples, layer.weight.shape[0])
    inputs = Inputs(current, layer.constants, layer.initial)
    return layer.weight.t(), layer.bias, Layer(layer.call, inputs).arguments
