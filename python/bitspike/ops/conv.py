"""Convolutions of packed feature maps: allocation, the choice of algorithm, and the native calls.

Rows of ``C·H·W`` spikes are int64 words ``[R, words(C·H·W)]``, in the order ``[C, H, W]`` or, with
``channels_last``, ``[H, W, C]``. Results lie in ``channels_last`` memory where torch's would: if
the spikes or the weight do. One dimension is two, with a height of 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Size, Tensor

from . import _native, buffer, spikes, threads
from .call import Errors
from .channels_last import is_channels_last
from .route import routed

Pair = tuple[int, int]


class Convolution(NamedTuple):
    """What a convolution is, which the native module knows by its order."""

    channels: int
    size: Pair
    """Height and width of the input, as of what follows."""
    outputs: int
    groups: int
    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair

    def grid(self) -> Pair:
        """Height and width of the output."""
        height, width = (
            (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, stride, padding, dilation in zip(
                self.size, self.kernel, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return height, width


def prefers_dense(words: Tensor, shape: Size, weight: Size) -> bool:
    """Whether torch's dense convolution is faster for spikes ``[R, C, *size]`` and such weights."""
    rows, channels, *size = shape
    outputs, group, *kernel = weight
    conv = Convolution(
        channels=channels,
        size=pair(size),
        outputs=outputs,
        groups=max(channels // max(group, 1), 1),
        kernel=pair(kernel),
        stride=(1, 1),
        padding=pair([k - 1 for k in kernel], 0),
        dilation=(1, 1),
    )
    fits = min(*conv.size, *conv.kernel, group) > 0 and channels % conv.groups == 0
    if not fits or outputs % conv.groups:
        return True
    return _native.convolve_prefers_dense(words, rows, conv, None)


def pair(sizes: Sequence[int], height: int = 1) -> Pair:
    """Height and width of what has one axis, of which the height is given, or two."""
    return (height, sizes[0]) if len(sizes) == 1 else (sizes[0], sizes[1])


def _flat_convolve(
    words: Tensor, conv: Convolution, channels_last: bool, weight: Tensor, bias: Tensor | None
) -> tuple[Any, ...]:
    channels, size, _, groups, _, *options = conv
    return words, channels, size, channels_last, weight, bias, *options, groups


@routed(0, _flat_convolve)
def convolve(
    words: Tensor, conv: Convolution, channels_last: bool, weight: Tensor, bias: Tensor | None
) -> Tensor:
    """``spikes ∗ weight + bias``, ``[R, O, H', W']`` for a weight ``[O, C/groups, *kernel]``."""
    last, taps = sums_lie_last(channels_last, weight), _taps(weight)
    if _native.convolve_prefers_dense(words, words.shape[0], conv, taps):
        dense = _unpacked(words, conv, channels_last)
        with threads.serial_if_forked():
            result = torch.conv2d(
                dense,
                weight,
                bias,
                stride=conv.stride,
                padding=conv.padding,
                dilation=conv.dilation,
                groups=conv.groups,
            )
        return in_order(result, last)
    return gathered(words, conv, (channels_last, last), taps, bias)


def gathered(
    words: Tensor,
    conv: Convolution,
    channels_last: tuple[bool, bool],
    taps: Tensor,
    bias: Tensor | None,
) -> Tensor:
    """The same, at any density by adding the weights of active inputs.

    Args:
        words: As for :func:`convolve`.
        conv: Likewise.
        channels_last: Whether the channels of spikes lie last, and whether those of the result do.
        taps: The weight as the native module reads it, ``[O, *kernel, C/groups]``.
        bias: As for :func:`convolve`.
    """
    rows, grid, last = words.shape[0], conv.grid(), channels_last[1]
    out = buffer.empty((rows, *grid, conv.outputs) if last else (rows, conv.outputs, *grid))
    _native.convolve(words, rows, conv, channels_last, weight=taps, bias=bias, out=out)
    return out.permute(0, 3, 1, 2) if last else out


def is_dense(words: Tensor, conv: Convolution, weight: Tensor) -> bool:
    """Whether :func:`convolve` multiplies these spikes as floats."""
    return _native.convolve_prefers_dense(words, words.shape[0], conv, _taps(weight))


def _taps(weight: Tensor) -> Tensor:
    return weight.permute(0, 2, 3, 1).contiguous()


def sums_lie_last(spikes_do: bool, weight: Tensor) -> bool:
    """Whether the channels of a convolution's result lie last."""
    return spikes_do or is_channels_last(weight, sequence=False)


def _flat_weight_gradient(
    words: Tensor, conv: Convolution, channels_last: bool, grad: Tensor
) -> tuple[Any, ...]:
    channels, size, _, groups, *options = conv
    return words, channels, size, channels_last, grad, *options, groups


@routed(0, _flat_weight_gradient)
def convolve_weight_gradient(
    words: Tensor, conv: Convolution, channels_last: bool, grad: Tensor
) -> tuple[Tensor, Tensor]:
    """The gradients of weight and bias for that of the result."""
    rows, last = words.shape[0], is_channels_last(grad, sequence=False)
    if not _native.convolve_prefers_dense(words, rows, conv, None):
        weight = buffer.empty((conv.outputs, *conv.kernel, conv.channels // conv.groups))
        bias = buffer.empty((conv.outputs,))
        sums = grad.permute(0, 2, 3, 1) if last else grad.contiguous()
        orders = channels_last, last
        if _native.convolve_weight_gradient(
            words, rows, conv, orders, grad=sums, weight=weight, bias=bias
        ):
            return in_order(weight.permute(0, 3, 1, 2), last), bias
    # Only its shape counts.
    weight = grad.new_empty(1).expand(conv.outputs, conv.channels // conv.groups, *conv.kernel)
    maps = _unpacked(words, conv, channels_last)
    _, to_weight, to_bias = _dense_gradients(conv, grad, maps, weight, mask=[False, True, True])
    return in_order(to_weight, last), to_bias


def input_gradient(conv: Convolution, grad: Tensor, weight: Tensor) -> Tensor:
    """The gradient of spikes ``[R, C, H, W]`` for that of the result, as the latter lies."""
    # Only its shape counts.
    maps = grad.new_empty(1).expand(len(grad), conv.channels, *conv.size)
    weight = in_order(weight, is_channels_last(grad, sequence=False))
    return _dense_gradients(conv, grad, maps, weight, mask=[True, False, False])[0]


def filtered_input_gradient(
    conv: Convolution, grad: Tensor, errors: Errors, weight: Tensor
) -> Tensor:
    """:func:`input_gradient` of ``[T, B, O, H', W']``, its channels last, in another order.

    Where few errors are not 0 it is made of these, filtered from the last step to the first.
    """
    steps, samples, *features = grad.shape
    rows, neurons = steps * samples, math.prod(features)
    share = _native.count(errors.active) / max(rows * neurons, 1)
    if not gradient_prefers_dense(conv, rows, share):
        out = buffer.empty((rows, *conv.size, conv.channels))
        # It refuses numbers that are infinite or NaN: they count where others are 0.
        if _native.convolve_input_gradient(
            (steps, samples, neurons),
            *errors,
            described=conv,
            channels_last=True,
            weight=_taps(weight),
            out=out,
        ):
            return out.permute(0, 3, 1, 2)
    return input_gradient(conv, grad.flatten(0, 1), weight)


def gradient_prefers_dense(conv: Convolution, rows: int, share: float) -> bool:
    """Whether :func:`input_gradient` is faster if this share of the errors is not 0."""
    return _native.convolve_gradient_prefers_dense(share, rows, conv)


def _dense_gradients(
    conv: Convolution, grad: Tensor, maps: Tensor, weight: Tensor, *, mask: list[bool]
) -> tuple[Tensor, Tensor, Tensor]:
    """Torch's gradients of maps, weight and bias, those that are wanted."""
    with threads.serial_if_forked():
        found: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
            grad_output=grad,
            input=maps,
            weight=weight,
            bias_sizes=[conv.outputs],
            stride=conv.stride,
            padding=conv.padding,
            dilation=conv.dilation,
            transposed=False,
            output_padding=[0, 0],
            groups=conv.groups,
            output_mask=mask,
        )
    return found


def _unpacked(words: Tensor, conv: Convolution, channels_last: bool) -> Tensor:
    """The maps ``[R, C, H, W]`` as zeros and ones, in the memory of the spikes."""
    rows, (height, width) = words.shape[0], conv.size
    flat = spikes.unpack(words, conv.channels * height * width, torch.float32)
    if channels_last:
        return flat.view(rows, height, width, conv.channels).permute(0, 3, 1, 2)
    return flat.view(rows, conv.channels, height, width)


def in_order(x: Tensor, channels_last: bool) -> Tensor:
    """The same maps in that memory, with its strides even where a size of 1 allows others."""
    if not channels_last:
        return x.contiguous()
    return x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
