"""Spikes × weights in a stack: always by adding the weights of active inputs.

A stack runs some samples at a time, and must not choose by their density alone: so all of them get
the bits that the ordinary layer gets from the whole batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Size, Tensor
from torch.nn import functional as F

from bitspike.ops import conv as convolutions
from bitspike.ops import matmul
from bitspike.ops.call import Errors

Wanted = tuple[Tensor | None, Tensor | None, Tensor | None]
"""The gradients of spikes, weight and bias; None where one is not wanted."""


class Arrived(NamedTuple):
    """What comes back to a product."""

    grad: Tensor
    """The gradient of the currents."""
    errors: Errors | None
    """The errors that it is made of, if they are known."""


class Product(Protocol):
    """A linear layer, or a convolution."""

    inputs: int
    """Rows of weights that all rows of spikes read."""
    features: Size
    """The shape of a step's currents."""
    channels_last: bool
    """Whether these lie in ``channels_last`` memory."""

    def currents(self, words: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The currents ``[T, B, *features]`` of spikes ``[T, B, words]``."""

    def gradients(
        self, words: Tensor, arrived: Arrived, weight: Tensor, need: Sequence[bool]
    ) -> Wanted:
        """The gradients for that of the currents."""

    def reads_errors(self, words: Tensor, weight: Tensor, share: float) -> bool:
        """Whether the gradient of these spikes comes faster from errors, if that share is not 0."""

    def prefers_dense(self, words: Tensor, weight: Tensor) -> bool:
        """Whether the ordinary layer multiplies these spikes as floats."""

    def apart(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The currents by ordinary layers, which autograd records."""


def _rows(words: Tensor) -> Tensor:
    return words.reshape(math.prod(words.shape[:-1]), words.shape[-1])


class Linear:
    """``nn.Linear``."""

    channels_last = False

    def __init__(self, inputs: int, outputs: int) -> None:
        """Describes a layer by its sizes."""
        self.inputs, self.features = inputs, Size((outputs,))

    def currents(self, words: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out = matmul.gathered(_rows(words), weight.t(), bias)
        return out.view(*words.shape[:-1], *self.features)

    def gradients(
        self, words: Tensor, arrived: Arrived, weight: Tensor, need: Sequence[bool]
    ) -> Wanted:
        rows, grad = _rows(words), arrived.grad.flatten(0, 1)
        to_input = self._input_gradient(arrived, weight) if need[0] else None
        if not need[1]:
            return to_input, None, grad.sum(0) if need[2] else None
        return to_input, *matmul.linear_gradient(rows, self.inputs, grad, biased=need[2])

    def _input_gradient(self, arrived: Arrived, weight: Tensor) -> Tensor:
        if arrived.errors is None:
            return matmul.dense_input_gradient(arrived.grad, weight)
        return matmul.input_gradient(arrived.grad, arrived.errors, weight)

    def reads_errors(self, words: Tensor, weight: Tensor, share: float) -> bool:
        if share > 0:  # Pools, which alone know of a share in advance, read maps.
            return False
        return not matmul.gradient_prefers_dense(None, len(_rows(words)), weight.shape)

    def prefers_dense(self, words: Tensor, weight: Tensor) -> bool:
        rows = _rows(words)
        return matmul.prefers_dense(rows, len(rows), self.inputs, *self.features)

    def apart(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return F.linear(x, weight, bias)


class Conv:
    """``nn.Conv1d`` or ``nn.Conv2d``, whose currents lie in ``channels_last`` memory."""

    channels_last = True

    def __init__(self, conv: convolutions.Convolution, axes: int, spikes_lie_last: bool) -> None:
        """Describes a convolution of maps of one or two axes, and the order of its spikes."""
        self.conv, self.axes, self.spikes_lie_last = conv, axes, spikes_lie_last
        self.inputs = 0
        self.features = Size((conv.outputs, *conv.grid()[2 - axes :]))

    def currents(self, words: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        orders = self.spikes_lie_last, True
        taps = self._two_dimensional(weight).permute(0, 2, 3, 1).contiguous()
        out = convolutions.gathered(_rows(words), self.conv, orders, taps, bias)
        return torch.unflatten(self._of_axes(out), 0, words.shape[:-1])

    def gradients(
        self, words: Tensor, arrived: Arrived, weight: Tensor, need: Sequence[bool]
    ) -> Wanted:
        grad = self._two_dimensional(arrived.grad.flatten(0, 1))
        weight = self._two_dimensional(weight)
        to_input = to_weight = to_bias = None
        if need[0]:
            to_input = self._input_gradient(grad, arrived, weight)
            to_input = self._of_axes(to_input).unflatten(0, words.shape[:-1])
        if need[1] or need[2]:
            to_weight, to_bias = convolutions.convolve_weight_gradient.kernel(
                _rows(words), self.conv, self.spikes_lie_last, grad
            )
            to_weight = self._of_axes(to_weight)
        return to_input, to_weight if need[1] else None, to_bias if need[2] else None

    def _input_gradient(self, grad: Tensor, arrived: Arrived, weight: Tensor) -> Tensor:
        if arrived.errors is None:
            return convolutions.input_gradient(self.conv, grad, weight)
        grad = grad.unflatten(0, arrived.grad.shape[:2])
        return convolutions.filtered_input_gradient(self.conv, grad, arrived.errors, weight)

    def reads_errors(self, words: Tensor, weight: Tensor, share: float) -> bool:
        return not convolutions.gradient_prefers_dense(self.conv, len(_rows(words)), share)

    def prefers_dense(self, words: Tensor, weight: Tensor) -> bool:
        return convolutions.is_dense(_rows(words), self.conv, self._two_dimensional(weight))

    def apart(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        run = F.conv1d if self.axes == 1 else F.conv2d
        _, _, _, groups, _, *options = self.conv
        stride, padding, dilation = (pair[2 - self.axes :] for pair in options)
        out: Tensor = run(
            x.flatten(0, 1),
            weight,
            bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        return torch.unflatten(out, 0, x.shape[:2])

    def _two_dimensional(self, x: Tensor) -> Tensor:
        return x.unsqueeze(2) if self.axes == 1 else x

    def _of_axes(self, x: Tensor) -> Tensor:
        return x.squeeze(2) if self.axes == 1 else x
