"""Convolutions of spikes, below autograd: sums and gradients of weights from bits."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from bitspike.ops import conv as ops

from .tensor import SpikeTensor


def convolution(
    x: Any,
    weight: Any,
    bias: Tensor | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
) -> Any:
    """``nn.Conv1d`` and ``nn.Conv2d`` of spikes ``[R, C, *size]`` whose rows are the samples."""
    conv = None if transposed else described(x, weight, (stride, padding, dilation), groups)
    if conv is None:
        return NotImplemented
    weight, bias = _two_dimensional(weight.float()), None if bias is None else bias.float()
    out = ops.convolve(maps(x), conv, x.channels_last, weight, bias)
    # Torch's convolutions of one dimension always have contiguous results.
    out = out.squeeze(2).contiguous() if x.dim() == 3 else out
    return out.to(x.dtype)


def convolution_backward(
    grad: Any,
    x: Any,
    weight: Any,
    bias_sizes: list[int] | None,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    output_mask: list[bool],
) -> Any:
    """The gradients of spikes, weight and bias; that of the spikes is torch's."""
    conv = None if transposed else described(x, weight, (stride, padding, dilation), groups)
    if conv is None or isinstance(grad, SpikeTensor):
        return NotImplemented
    to_x = to_weight = to_bias = None
    if output_mask[0]:
        to_x = ops.input_gradient(conv, _two_dimensional(grad), _two_dimensional(weight))
        to_x = _of_shape(to_x, x.dim())
    if output_mask[1] or output_mask[2]:
        to_weight, to_bias = ops.convolve_weight_gradient(
            maps(x), conv, x.channels_last, _two_dimensional(grad.float())
        )
        to_weight = _of_shape(to_weight, x.dim()).to(weight.dtype) if output_mask[1] else None
        to_bias = to_bias.to(weight.dtype) if output_mask[2] else None
    return to_x, to_weight, to_bias


def described(
    x: Any, weight: Any, options: tuple[list[int], list[int], list[int]], groups: int
) -> ops.Convolution | None:
    """The convolution of these spikes, if it has a packed form and torch would not refuse it."""
    spatial = weight.dim() - 2
    if not isinstance(x, SpikeTensor) or isinstance(weight, SpikeTensor) or x.is_transposed:
        return None
    samples, channels, *size = x.shape if x.dim() == weight.dim() else (0, 0)
    if spatial not in (1, 2) or not size or x.words.shape[:-1].numel() != samples:
        return None
    if not weight.is_cpu or weight.dtype != x.dtype or channels != weight.shape[1] * groups:
        return None
    # Torch gives a result of no channels where there are none to convolve.
    if channels == 0:
        return None

    # torch's functions take one number for both axes.
    stride, padding, dilation = (x * spatial if len(x) == 1 else x for x in options)
    conv = ops.Convolution(
        channels=channels,
        size=ops.pair(size),
        outputs=weight.shape[0],
        groups=groups,
        kernel=ops.pair(weight.shape[2:]),
        stride=ops.pair(stride),
        padding=ops.pair(padding, height=0),
        dilation=ops.pair(dilation),
    )
    least = min(*conv.grid(), *conv.kernel, *conv.stride, *conv.dilation)
    return conv if least > 0 and min(conv.padding) >= 0 and conv.outputs % groups == 0 else None


def maps(x: SpikeTensor) -> Tensor:
    """The words of spikes ``[R, C, *size]``, a row for each sample."""
    return x.words.reshape(x.shape[0], x.words.shape[-1])


def _two_dimensional(x: Tensor) -> Tensor:
    return x.unsqueeze(2) if x.dim() == 3 else x


def _of_shape(x: Tensor, axes: int) -> Tensor:
    return x.squeeze(2) if axes == 3 else x
