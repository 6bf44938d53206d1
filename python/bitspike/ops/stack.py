"""Linear layers with their neurons, one behind another: allocation and the native call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

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


def forward(packed: Tensor, layers: Sequence[LinearLayer]) -> list[Fired] | None:
    """Runs layers on the words ``[T, B, words]`` of spikes; None if a weight is not finite.

    Products add the weights of active inputs at any density.
    """
    steps, samples = packed.shape[:2]
    described = []
    outputs = []
    for layer in layers:
        neurons = layer.weight.shape[0]
        # Only the shape of the current counts.
        current = layer.weight.new_empty(1).expand(steps, samples, neurons)
        inputs = Inputs(current, layer.constants, layer.initial)
        described.append((layer.weight.t(), layer.bias, Layer(layer.call, inputs).arguments))
        fired = buffer.empty((steps, samples, words(neurons)), torch.int64)
        outputs.append(Fired(fired, [buffer.empty_like(x) for x in layer.initial]))
    shape = steps, samples, layers[0].weight.shape[1]
    return outputs if _native.stack_forward(packed, shape, described, outputs) else None
