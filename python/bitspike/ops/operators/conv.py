"""Convolutions of spikes as operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import conv, spikes
from bitspike.ops.channels_last import is_channels_last
from bitspike.ops.conv import Convolution

from ._operator import Shapes, operator

_MAPS = "Tensor words, SymInt channels, SymInt[] size, bool channels_last"
_OPTIONS = "SymInt[] stride, SymInt[] padding, SymInt[] dilation, SymInt groups"


def _described(
    channels: int, size: list[int], weight: Any, options: tuple[Any, ...]
) -> Convolution:
    """A convolution, for the shape of its weight and the last of an operator's arguments."""
    outputs, _, *kernel = weight
    pairs = [tuple(sizes) for sizes in (size, kernel, *options[:3])]
    return Convolution(channels, pairs[0], outputs, options[3], *pairs[1:])


def _convolve(
    words: Tensor,
    channels: int,
    size: list[int],
    channels_last: bool,
    weight: Tensor,
    bias: Tensor | None,
    *options: Any,
) -> Tensor:
    described = _described(channels, size, weight.shape, options)
    return conv.convolve.kernel(words, described, channels_last, weight, bias)  # type: ignore[no-any-return]


def _convolve_fake(
    words: Tensor,
    channels: int,
    size: list[int],
    channels_last: bool,
    weight: Tensor,
    bias: Tensor | None,
    *options: Any,
) -> Tensor:
    described = _described(channels, size, weight.shape, options)
    out = weight.new_empty(words.shape[0], described.outputs, *described.grid())
    return conv.in_order(out, conv.sums_lie_last(channels_last, weight))


def _weight(channels: int, grad: Tensor, options: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape of the weight, for the gradient of the result and an operator's last arguments."""
    kernel, *_, groups = options
    return (grad.shape[1], channels // groups, *kernel)


def _weight_gradient(
    words: Tensor,
    channels: int,
    size: list[int],
    channels_last: bool,
    grad: Tensor,
    *options: Any,
) -> tuple[Tensor, Tensor]:
    described = _described(channels, size, _weight(channels, grad, options), options[1:])
    return conv.convolve_weight_gradient.kernel(words, described, channels_last, grad)  # type: ignore[no-any-return]


def _weight_gradient_fake(
    words: Tensor,
    channels: int,
    size: list[int],
    channels_last: bool,
    grad: Tensor,
    *options: Any,
) -> tuple[Tensor, Tensor]:
    outputs, group, *kernel = _weight(channels, grad, options)
    weight = grad.new_empty(outputs, group, *kernel)
    last = is_channels_last(grad, sequence=False)
    return conv.in_order(weight, last), grad.new_empty(outputs)


_LEAST = {"size": 0, "stride": 1, "padding": 0, "dilation": 1, "kernel": 1}


def _expect(channels: int, groups: int, **pairs: list[int]) -> None:
    """Checks the numbers among an operator's arguments.

    Raises:
        ValueError: if one is no pair, or too small, or channels are no whole number of groups.
    """
    for name, pair in pairs.items():
        if len(pair) != 2 or min(pair) < _LEAST[name]:
            least = _LEAST[name]
            raise ValueError(f"{name} must be two sizes of at least {least}, not {list(pair)}")
    if groups < 1 or channels < 1 or channels % groups:
        raise ValueError(f"channels must be a positive multiple of {groups} groups, not {channels}")


def _convolve_shapes(
    words: Tensor,
    channels: int,
    size: list[int],
    channels_last: bool,
    weight: Tensor,
    bias: Tensor | None,
    *options: Any,
) -> Shapes:
    stride, padding, dilation, groups = options
    _expect(channels, groups, size=size, stride=stride, padding=padding, dilation=dilation)
    yield "words", words, (*words.shape[:1], spikes.words(channels * size[0] * size[1]))
    yield "weight", weight, (*weight.shape[:1], channels // options[-1], *weight.shape[2:4])
    yield "bias", bias, tuple(weight.shape[:1])


def _weight_gradient_shapes(
    words: Tensor,
    channels: int,
    size: list[int],
    channels_last: bool,
    grad: Tensor,
    *options: Any,
) -> Shapes:
    kernel, stride, padding, dilation, groups = options
    pairs = {"stride": stride, "padding": padding, "dilation": dilation, "kernel": kernel}
    _expect(channels, groups, size=size, **pairs)
    yield "words", words, (*words.shape[:1], spikes.words(channels * size[0] * size[1]))
    described = _described(channels, size, (1, 1, *options[0]), options[1:])
    yield "grad", grad, (words.shape[0], *grad.shape[1:2], *described.grid())


def _save_convolve(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    words, *ctx.maps, weight, bias = inputs[:6]
    ctx.kernel, ctx.options, ctx.biased = list(weight.shape[2:]), inputs[6:], bias is not None
    ctx.save_for_backward(words)


def _convolve_gradient(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
    (words,) = ctx.saved_tensors
    weight, bias = torch.ops.bitspike.convolve_weight_gradient(
        words, *ctx.maps, grad, ctx.kernel, *ctx.options
    )
    return None, None, None, None, weight, bias if ctx.biased else None, *[None] * 4


def _save_weight_gradient(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    words, *ctx.maps, _, _ = inputs[:6]
    ctx.options = inputs[6:]
    ctx.save_for_backward(words)


def _weight_gradient_gradient(ctx: Any, weight: Tensor, bias: Tensor) -> tuple[Any, ...]:
    (words,) = ctx.saved_tensors
    grad = torch.ops.bitspike.convolve(words, *ctx.maps, weight, bias, *ctx.options)
    return None, None, None, None, grad, *[None] * 5


operator(
    f"convolve({_MAPS}, Tensor weight, Tensor? bias, {_OPTIONS}) -> Tensor",
    _convolve,
    _convolve_fake,
    _convolve_shapes,
    (_save_convolve, _convolve_gradient),
)
operator(
    f"convolve_weight_gradient({_MAPS}, Tensor grad, SymInt[] kernel, {_OPTIONS}) "
    "-> (Tensor, Tensor)",
    _weight_gradient,
    _weight_gradient_fake,
    _weight_gradient_shapes,
    (_save_weight_gradient, _weight_gradient_gradient),
)
