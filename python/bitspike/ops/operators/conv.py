"""Convolutions of spikes as operators."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from bitspike.ops import conv, spikes
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
    return Convolution(channels, pairs[0], outputs, options[3], *pairs[1:])  # type: ignore[arg-type]


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
    out = weight.new_empty(words.shape[0], *described.grid(), described.outputs)
    return out.permute(0, 3, 1, 2)


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
    weight = grad.new_empty(outputs, *kernel, group).permute(0, 3, 1, 2)
    return weight, grad.new_empty(outputs)


def _expect(channels: int, size: list[int], options: tuple[Any, ...]) -> None:
    """Checks the numbers of axes of an operator's arguments.

    Raises:
        ValueError: for others than two.
    """
    *pairs, groups = options
    for x in (size, *pairs):
        if len(x) != 2:
            raise ValueError(f"sizes are for two axes, height and width, not {list(x)}")
    if groups < 1 or channels % groups:
        raise ValueError(f"{channels} channels cannot be divided into {groups} groups")


def _convolve_shapes(
    words: Tensor,
    channels: int,
    size: list[int],
    channels_last: bool,
    weight: Tensor,
    bias: Tensor | None,
    *options: Any,
) -> Shapes:
    _expect(channels, size, options)
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
    _expect(channels, size, options)
    yield "words", words, (*words.shape[:1], spikes.words(channels * size[0] * size[1]))
    described = _described(channels, size, (1, 1, *options[0]), options[1:])
    yield "grad", grad, (words.shape[0], *grad.shape[1:2], *described.grid())


operator(
    f"convolve({_MAPS}, Tensor weight, Tensor? bias, {_OPTIONS}) -> Tensor",
    _convolve,
    _convolve_fake,
    _convolve_shapes,
)
operator(
    f"convolve_weight_gradient({_MAPS}, Tensor grad, SymInt[] kernel, {_OPTIONS}) "
    "-> (Tensor, Tensor)",
    _weight_gradient,
    _weight_gradient_fake,
    _weight_gradient_shapes,
)
