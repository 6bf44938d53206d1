"""The formats of weights: integers, ternary and binary ones, and floats of 16 bits."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .format import Format, Scaled, by_output, mean_of, wide

_SMALLEST = 1e-10
"""The largest weight of a channel counts at least so much, as in brevitas: no scale is 0."""
_WIDTHS = (8, 4, 2)


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
        magnitudes = wide(weight.detach()).abs().flatten(1)
        if not magnitudes.numel():
            return magnitudes.new_ones(len(weight) if self.per_channel else 1)
        largest = magnitudes.amax(1) if self.per_channel else magnitudes.amax().view(1)
        return largest.clamp_min(_SMALLEST) / -self.lowest

    def first_scale(self, weight: Tensor) -> Tensor | None:
        """The learned scale to begin with, ``[outputs or 1]``."""
        if not self.learned:
            return None
        mean = mean_of(wide(weight.detach()).abs(), self.per_channel).flatten()
        return (2 * mean / math.sqrt(self.highest)).clamp_min(_SMALLEST)

    def parts(self, weight: Tensor, scale: Tensor | None) -> tuple[Tensor, Tensor]:
        """Integers, as floats, and the scale."""
        scale = by_output(self.largest_scale(weight) if scale is None else scale, weight)
        return (weight / scale).round().clamp(self.lowest, self.highest), scale

    def gradients(
        self, grad: Tensor, weight: Tensor, scale: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """The gradients of weight and scale."""
        if scale is None and self.narrow_range:
            return grad, None  # no weight lies outside
        divisor = by_output(self.largest_scale(weight) if scale is None else scale, weight)
        steps = wide(weight) / divisor
        inside = (steps >= self.lowest) & (steps <= self.highest)
        to_weight = grad * inside
        if scale is None:
            return to_weight, None
        rest = torch.where(inside, steps.round() - steps, steps.clamp(self.lowest, self.highest))
        each = (grad * rest).flatten(1)
        to_scale = each.sum(1) if len(scale) == len(each) else each.sum().view(1)
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
        kept = magnitudes > 0.7 * mean_of(magnitudes, self.per_channel)
        share = mean_of(kept.to(weight.dtype), self.per_channel)
        # Where all weights are 0, none is kept; NaN stays.
        mean = mean_of(magnitudes * kept, self.per_channel) / torch.where(share == 0, 1, share)
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
        return torch.where(weight >= 0, ones, -ones), mean_of(weight.abs(), self.per_channel)

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
