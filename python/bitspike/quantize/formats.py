"""Formats of weights: which values a weight may have, and the gradient of going there."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values

_SMALLEST = 1e-10
"""The largest weight of a channel counts at least so much, as in brevitas: no scale is 0."""
_WIDTHS = (8, 4, 2)


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
        return self.integers.to(self.scale.dtype) * _by_output(self.scale, self.integers)


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
        integers, scales = self.parts(_wide(weight), _scale(scale, weight))
        each = scales.detach().flatten().expand(len(weight)).clone()
        return Quantised(integers.detach().to(torch.int8), each)

    def rounded(self, weight: Tensor, scale: Tensor | None) -> Tensor:
        """The weight in this format, without a gradient."""
        integers, scale = self.parts(_wide(weight), scale)
        return (integers * scale).to(weight.dtype)

    @abstractmethod
    def parts(self, weight: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """Integers, as floats, and the scale, which broadcasts against them."""


@dataclass(frozen=True)
class Integer(Scaled):
    r"""Integers of 8, 4 or 2 bits: :math:`\hat W = s\,\mathrm{round}(W / s)`.

    With :math:`q_\max = 2^{b-1} - 1` the scale is that of brevitas,

    .. math::
        s = \frac{\max |W|}{q_\max} \quad\text{(narrow)}, \qquad
        s = \frac{\max |W|}{q_\max + 1} \quad\text{(not narrow)}

    where the largest weight counts at least 1e-10. Ties go to the even integer. The gradient of
    the weight passes where :math:`W / s` lies in the range, and is 0 outside (straight-through
    estimator); the scale is a constant to it.

    ``learned=True`` learns the scale (LSQ). It begins at
    :math:`2\,\overline{|W|} / \sqrt{q_\max}`, and for ``g``, the gradient of :math:`\hat W`, its
    own is

    .. math::
        \frac{1}{\sqrt{N q_\max}} \sum_j g_j \begin{cases}
            \mathrm{round}(W_j / s) - W_j / s & \text{in the range} \\
            \text{the end of the range} & \text{outside}
        \end{cases}

    over the ``N`` weights that share it.

    Sources: Jacob et al. 2018; Esser et al. 2020 ("Learned step size quantization"); brevitas 0.13.

    Args:
        bits: ``b``, 8, 4 or 2.
        per_channel: Whether each output has a scale of its own, or the whole weight one.
        narrow_range: Whether integers lie between ``-q_max`` and ``q_max``, or begin one lower.
        learned: Whether the scale is learned.

    Raises:
        ValueError: for other numbers of bits.

    Example:
        >>> import torch
        >>> from bitspike import quantize
        >>> quantize.Integer(2).values(torch.tensor([[0.1, 0.4, -1.0]]))
        tensor([[ 0.,  0., -1.]])
    """

    bits: int = 8
    per_channel: bool = True
    narrow_range: bool = True
    learned: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.bits, bool) or self.bits not in _WIDTHS:
            raise ValueError(
                f"integers have 8, 4 or 2 bits, not {self.bits!r}: take the next wider one, or "
                "Ternary() or Binary()"
            )

    @property
    def is_bits(self) -> bool:
        """Whether no integer is larger than 1, so that products with spikes count bits."""
        return self.lowest == -1

    @property
    def highest(self) -> int:
        """The highest integer, ``q_max``."""
        return int(2 ** (self.bits - 1)) - 1

    @property
    def lowest(self) -> int:
        """The lowest integer."""
        return -self.highest if self.narrow_range else -self.highest - 1

    def largest_scale(self, weight: Tensor) -> Tensor:
        """The scale that leaves no weight outside of the range, ``[outputs]`` or ``[1]``."""
        magnitudes = _wide(weight.detach()).abs().flatten(1)
        if not magnitudes.numel():
            return magnitudes.new_ones(len(weight) if self.per_channel else 1)
        largest = magnitudes.amax(1) if self.per_channel else magnitudes.amax().view(1)
        return largest.clamp_min(_SMALLEST) / -self.lowest

    def first_scale(self, weight: Tensor) -> Tensor | None:
        """The learned scale to begin with, ``[outputs or 1]``."""
        if not self.learned:
            return None
        mean = _mean(_wide(weight.detach()).abs(), self.per_channel).flatten()
        return (2 * mean / math.sqrt(self.highest)).clamp_min(_SMALLEST)

    def parts(self, weight: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """Integers, as floats, and the scale."""
        scale = _by_output(self.largest_scale(weight) if scale is None else scale, weight)
        return (weight / scale).round().clamp(self.lowest, self.highest), scale

    def gradients(
        self, grad: Tensor, weight: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The gradients of weight and scale."""
        if scale is None and self.narrow_range:
            return grad, None  # no weight lies outside
        wide = _wide(weight)
        divisor = _by_output(self.largest_scale(weight) if scale is None else scale, weight)
        steps = wide / divisor
        inside = (steps >= self.lowest) & (steps <= self.highest)
        to_weight = grad * inside
        if scale is None:
            return to_weight, None
        rest = torch.where(inside, steps.round() - steps, steps.clamp(self.lowest, self.highest))
        each = (grad * rest).flatten(1)
        to_scale = each.sum(1) if self.per_channel else each.sum().view(1)
        shared = max(weight.numel() // max(len(scale), 1), 1)
        return to_weight, to_scale / math.sqrt(shared * self.highest)


@dataclass(frozen=True)
class Ternary(Scaled):
    r"""-1, 0 and 1, times a scale: 1.58 bits.

    .. math::
        Δ = 0.7\,\overline{|W|}, \qquad α = \overline{|W|}_{|W| > Δ}, \qquad
        \hat W = α\,\mathrm{sign}(W)\,[|W| > Δ]

    The gradient of the weight passes where :math:`|W| \le 1`, and is 0 elsewhere.

    Source: Li & Liu 2016 ("Ternary weight networks"), with one scale for the whole layer.

    Args:
        per_channel: Whether each output has means of its own, or the whole weight.

    Example:
        >>> import torch
        >>> from bitspike import quantize
        >>> quantize.Ternary().values(torch.tensor([[0.1, 0.5, -0.7]]))
        tensor([[ 0.0000,  0.6000, -0.6000]])
    """

    per_channel: bool = True
    bits: float = field(default=math.log2(3), init=False, repr=False)

    def parts(self, weight: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """Integers, as floats, and the scale."""
        magnitudes = weight.abs()
        kept = magnitudes > 0.7 * _mean(magnitudes, self.per_channel)
        share = _mean(kept.to(weight.dtype), self.per_channel)
        # Where all weights are 0, none is kept; NaN stays.
        mean = _mean(magnitudes * kept, self.per_channel) / torch.where(share == 0, 1, share)
        return weight.sign() * kept, mean

    def gradients(
        self, grad: Tensor, weight: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The gradient of the weight."""
        return grad * (weight.abs() <= 1), None


@dataclass(frozen=True)
class Binary(Scaled):
    r"""-1 and 1, times a scale: :math:`\hat W = \overline{|W|}\,\mathrm{sign}(W)`, 0 counting as 1.

    The gradient of the weight passes where :math:`|W| \le 1`, and is 0 elsewhere.

    Sources: Courbariaux et al. 2016; Rastegari et al. 2016 ("XNOR-Net").

    Args:
        per_channel: Whether each output has a mean of its own, or the whole weight.

    Example:
        >>> import torch
        >>> from bitspike import quantize
        >>> quantize.Binary().values(torch.tensor([[0.0, 0.5, -0.7]]))
        tensor([[ 0.4000,  0.4000, -0.4000]])
    """

    per_channel: bool = True
    bits: float = field(default=1, init=False, repr=False)

    def parts(self, weight: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """Integers, as floats, and the scale."""
        ones = torch.ones_like(weight)
        return torch.where(weight >= 0, ones, -ones), _mean(weight.abs(), self.per_channel)

    def gradients(
        self, grad: Tensor, weight: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The gradient of the weight."""
        return grad * (weight.abs() <= 1), None


@dataclass(frozen=True)
class Float(Format):
    """Floats of 16 bits, in which weights are kept, while sums and states are those of float32.

    The gradient passes as if nothing had been rounded.

    Args:
        dtype: ``torch.bfloat16`` or ``torch.float16``.

    Raises:
        ValueError: for other dtypes.

    Example:
        >>> import torch
        >>> from bitspike import quantize
        >>> quantize.Float().values(torch.tensor([[0.1]]))
        tensor([[0.1001]])
    """

    dtype: torch.dtype = torch.bfloat16
    bits: float = field(default=16, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.dtype not in (torch.bfloat16, torch.float16):
            raise ValueError(f"dtype must be torch.bfloat16 or torch.float16, not {self.dtype}")

    def rounded(self, weight: Tensor, scale: Tensor | None) -> Tensor:
        """The weight in this format, without a gradient."""
        return weight.to(self.dtype, copy=True).to(weight.dtype)

    def gradients(
        self, grad: Tensor, weight: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The gradient of the weight."""
        return grad, None


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


def _wide(weight: Tensor) -> Tensor:
    """A weight in a dtype in which scales are not rounded to a few bits."""
    return weight if weight.dtype == torch.float64 else weight.float()


def _by_output(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (weight.dim() - 1))


def _mean(x: Tensor, per_channel: bool) -> Tensor:
    """The mean of each output, or of all, with which x broadcasts; 0 of nothing."""
    flat = x.flatten(1)
    if not flat.numel():
        mean = flat.new_zeros(len(x) if per_channel else 1)
    else:
        mean = flat.mean(1) if per_channel else flat.mean().view(1)
    return _by_output(mean, x)
