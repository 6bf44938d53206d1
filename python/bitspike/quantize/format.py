"""What a format of weights is: which values a weight may have, and the gradient of going there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values


class Quantised(NamedTuple):
    """A weight as integers and scales: it is ``integers * scale``, output by output.

    Example:
        >>> import torch
        >>> from bitspike import quantize
        >>> integers, scale = quantize.Integer(4).quantise(torch.tensor([[0.6, -1.0, 0.7]]))
        >>> integers, scale
        (tensor([[ 4, -7,  5]], dtype=torch.int8), tensor([0.1429]))
    """

    integers: Tensor
    """int8, of the shape of the weight ``[outputs, *]``."""
    scale: Tensor
    """``[outputs]``, positive, or 0 where all weights of an output are 0."""

    def values(self) -> Tensor:
        """The weight that they stand for, in the dtype of the scale."""
        return self.integers.to(self.scale.dtype) * by_output(self.scale, self.integers)


class Format(ABC):
    """What values weights may have. Formats are compared by their numbers, and never change."""

    bits: float
    """Bits of a weight."""

    def values(self, weight: Tensor, scale: Tensor | None = None) -> Tensor:
        """The weight in this format, with the gradient of training.

        Args:
            weight: ``[outputs, *]``, which stays as it is.
            scale: A learned scale, if the format has one; see `Integer`.

        Raises:
            ValueError: if the weight has less than two axes, or the scale another shape.
        """
        weight = _weight(weight)
        rounded: Tensor = _InFormat.apply(weight, _scale(scale, weight), self)
        return rounded

    def first_scale(self, weight: Tensor) -> Tensor | None:
        """The learned scale to begin with, or None if there is none to learn."""
        return None

    @abstractmethod
    def rounded(self, weight: Tensor, scale: Tensor | None) -> Tensor:
        """The weight in this format, without a gradient."""

    @abstractmethod
    def gradients(
        self, grad: Tensor, weight: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The gradients of weight and scale, for that of the rounded weight."""


class _InFormat(torch.autograd.Function):
    """``format.rounded(weight, scale)`` with ``format.gradients``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(weight: Tensor, scale: Tensor | None, form: Format) -> Tensor:
        return form.rounded(weight, scale)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        weight, scale, ctx.form = inputs
        ctx.save_for_backward(weight, scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None]:
        return *ctx.form.gradients(grad, *ctx.saved_tensors), None


class Scaled(Format):
    """Formats of few integers, times a scale."""

    @property
    def is_bits(self) -> bool:
        """Whether no integer is larger than 1, so that products with spikes count bits."""
        return True

    def quantise(self, weight: Tensor, scale: Tensor | None = None) -> Quantised:
        """Integers and scales of a weight ``[outputs, *]``, of any layer.

        Raises:
            ValueError: as `Format.values`, and if a weight is infinite or NaN.
        """
        weight = with_values(_weight(weight), "weight").detach()
        scale = None if scale is None else with_values(as_tensor(scale, "scale"), "scale")
        if not weight.isfinite().all():
            raise ValueError("weight has values that are infinite or NaN, which no integer is")
        integers, scales = self.parts(wide(weight), _scale(scale, weight))
        each = scales.detach().flatten().expand(len(weight)).clone()
        return Quantised(integers.detach().to(torch.int8), each)

    def rounded(self, weight: Tensor, scale: Tensor | None) -> Tensor:
        """The weight in this format, without a gradient."""
        integers, scale = self.parts(wide(weight), scale)
        return (integers * scale).to(weight.dtype)

    @abstractmethod
    def parts(self, weight: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """Integers, as floats, and the scale, which broadcasts against them."""


def _weight(weight: Tensor) -> Tensor:
    """A weight of floats ``[outputs, *]``."""
    weight = as_tensor(weight, "weight")
    if weight.dim() < 2:
        raise ValueError(f"weight must be [outputs, *], not {tuple(weight.shape)}")
    return weight if weight.is_floating_point() else weight.to(torch.get_default_dtype())


def _scale(scale: Tensor | None, weight: Tensor) -> Tensor | None:
    """A learned scale for this weight."""
    if scale is None:
        return None
    scale = as_tensor(scale, "scale", device=weight.device)
    if scale.dim() != 1 or len(scale) not in (1, len(weight)):
        raise ValueError(
            f"scale must be ({len(weight)},), or (1,), for a weight {tuple(weight.shape)}, not "
            f"{tuple(scale.shape)}"
        )
    return scale


def wide(weight: Tensor) -> Tensor:
    """A weight in a dtype in which scales are not rounded to a few bits."""
    return weight if weight.dtype == torch.float64 else weight.float()


def by_output(scale: Tensor, weight: Tensor) -> Tensor:
    """A scale in a shape that broadcasts against a weight ``[outputs, *]``."""
    return scale.view(-1, *[1] * (weight.dim() - 1))


def mean_of(x: Tensor, per_channel: bool) -> Tensor:
    """The mean of each output, or of all, with which x broadcasts; 0 of nothing."""
    flat = x.flatten(1)
    if not flat.numel():
        found = flat.new_zeros(len(x) if per_channel else 1)
    else:
        found = flat.mean(1) if per_channel else flat.mean().view(1)
    return by_output(found, x)
