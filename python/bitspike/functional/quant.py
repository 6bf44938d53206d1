"""States of few bits, for training a network that will run on hardware with small memories."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.ops.route import is_traced

_MULTIPLIERS = (0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.925, 0.95)
"""By number of bits, from one; the last one for more."""


def state_quant(
    num_bits: int = 8,
    uniform: bool = True,
    thr_centered: bool = True,
    threshold: float = 1,
    lower_limit: float = 0,
    upper_limit: float = 0.2,
    multiplier: float | None = None,
) -> Callable[[Tensor], Tensor]:
    r"""A function that rounds states to ``2^num_bits`` levels, for ``state_quant`` of a neuron.

    Levels lie between :math:`l = -\theta(1 + \mathrm{lower\_limit})` and
    :math:`h = \theta(1 + \mathrm{upper\_limit})`. A number goes to the nearest one, to the lowest
    of those that are equally near, and to the lowest of all if it is NaN. Distances are floats, to
    which all levels are equally near from many orders of magnitude above them, or from infinity.
    The gradient passes as if nothing had been rounded, also from beyond the levels
    (straight-through estimator: Bengio et al. 2013).

    ``uniform=True`` spaces them evenly. Otherwise they lie the denser, the nearer to a centre
    :math:`c`, which is the threshold, or zero with ``thr_centered=False``. With
    :math:`L = 2^\mathrm{num\_bits}` levels, :math:`n = \lfloor L (c - l) / (h - l) \rfloor` of them
    below the centre, :math:`n' = L - n` above it, and ``multiplier`` :math:`m`, they are

    .. math::
        l + (c - l) \frac{\sum_{j<k} m^j}{\sum_{j<n} m^j} \quad (k = 0, …, n - 1), \qquad
        c + (h - c) \frac{\sum_{j \le k} m^{n'-1-j}}{\sum_{j<n'} m^j} \quad (k = 0, …, n' - 1)

    Rounded states are still floats: this trains a network for small memories, and makes it no
    faster here. Neurons with such a function run as torch operations. Memory is that of a few
    copies of the state, whatever the number of levels.

    Source: snnTorch 1.0 (Venkatesh, Marinescu & Eshraghian 2024, "SQUAT").

    Args:
        num_bits: How many bits a state has.
        uniform: Whether levels are evenly spaced.
        thr_centered: Whether the others are dense around the threshold, or around zero.
        threshold: :math:`\theta`, positive.
        lower_limit: How far below minus the threshold the lowest level is, in thresholds.
        upper_limit: How far above the threshold the highest level is, in thresholds.
        multiplier: :math:`m`, positive; None chooses it by the number of bits: 0.05, 0.1, 0.3, 0.5,
            0.7, 0.9, 0.925, and 0.95 for eight or more.

    Returns:
        A function of a tensor of any shape, which keeps shape and dtype.

    Raises:
        ValueError: for a ``num_bits`` that is no whole number from 1, a ``threshold`` or
            ``multiplier`` that is not positive, and limits between which no level lies, or not the
            centre.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike.functional import quant
        >>> two_bits = quant.state_quant(num_bits=2, lower_limit=0.5, upper_limit=0.5)
        >>> two_bits(torch.tensor([-9.0, -0.1, 0.0, 0.9]))
        tensor([-1.5000, -0.5000, -0.5000,  0.5000])
        >>> lif = snn.Leaky(beta=0.9, state_quant=two_bits)
        >>> lif(torch.tensor([1.2]))[1]
        tensor([1.5000])
    """
    if not isinstance(num_bits, int) or isinstance(num_bits, bool) or num_bits < 1:
        raise ValueError(f"num_bits must be a whole number of bits from 1, not {num_bits!r}")
    if not threshold > 0:
        raise ValueError(f"threshold must be positive, not {threshold}")
    lowest = -(threshold + threshold * lower_limit)
    highest = threshold + threshold * upper_limit
    centre = threshold if thr_centered else 0
    inside = lowest <= highest if uniform else lowest <= centre <= highest and lowest < highest
    if not inside:
        raise ValueError(
            f"lower_limit={lower_limit} and upper_limit={upper_limit} leave levels from {lowest} "
            f"to {highest}" + ("" if uniform else f", without their centre {centre}")
        )
    count = 2**num_bits
    if uniform:
        levels = torch.linspace(lowest, highest, count, dtype=torch.float32, device="cpu")
    else:
        if multiplier is None:
            multiplier = _MULTIPLIERS[min(num_bits, len(_MULTIPLIERS)) - 1]
        if not multiplier > 0:
            raise ValueError(f"multiplier must be positive, not {multiplier}")
        spaced = _around(centre, lowest, highest, count, multiplier)
        levels = torch.tensor(spaced, dtype=torch.float32, device="cpu")
    return partial(_quantised, levels=levels)


def _quantised(x: Tensor, levels: Tensor) -> Tensor:
    rounded: Tensor = StateQuant.apply(as_tensor(x, "x"), levels)
    return rounded


def _around(
    centre: float, lowest: float, highest: float, count: int, multiplier: float
) -> list[float]:
    """Levels that lie the denser, the nearer to a centre, which is not one of them."""
    below = math.floor(count * ((centre - lowest) / (highest - lowest)))
    up_to_centre = _gaps(below, centre - lowest, multiplier)
    from_centre = _gaps(count - below, highest - centre, multiplier)[::-1]
    return [
        *list(accumulate(up_to_centre, initial=lowest))[:-1],
        *list(accumulate(from_centre, initial=centre))[1:],
    ]


def _gaps(count: int, span: float, multiplier: float) -> list[float]:
    """So many gaps that make up the span, each ``multiplier`` times the one before."""
    powers = [multiplier**j for j in range(count)]
    # Added in this order, one after another, as snnTorch does; sum() is more exact than that.
    *_, total = accumulate(reversed(powers), initial=0.0)
    return [power / (total / span) for power in powers]


class StateQuant(torch.autograd.Function):
    """``StateQuant.apply(x, levels)``: the nearest level to each number, which keeps its gradient.

    Levels ``[L]`` may come in any order. Distances are rounded as floats are. Of levels that are
    equally near the lowest is taken, and for NaN the lowest of all.

    Example:
        >>> from bitspike.functional.quant import StateQuant
        >>> StateQuant.apply(torch.tensor([0.2, 0.5, 0.9]), torch.tensor([0.0, 1.0]))
        tensor([0., 0., 1.])
    """

    @staticmethod
    def forward(x: Tensor, levels: Tensor) -> Tensor:
        if levels.dim() != 1 or not len(levels):
            raise ValueError(f"levels must be a row of numbers [L], not {tuple(levels.shape)}")
        wide = torch.promote_types(x.dtype, levels.dtype)
        levels = levels.to(x.device, wide).sort().values
        nearest = levels[_nearest(x.to(wide).contiguous(), levels)]
        return nearest.to(x.dtype) if x.is_floating_point() else nearest

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], x: Tensor, levels: Tensor) -> tuple[Tensor, Any]:
        # It works element by element, so the position of the batch axis does not matter.
        return StateQuant.apply(x, levels), in_dims[0]


def _nearest(x: Tensor, levels: Tensor) -> Tensor:
    """The index of each number's nearest level, for ascending levels."""
    # NaN sorts behind all levels.
    above = torch.searchsorted(levels, x).clamp_(max=len(levels) - 1)
    below = (above - 1).clamp_(min=0)
    to_above, to_below = (levels[above] - x).abs(), (levels[below] - x).abs()
    index = torch.where(to_above < to_below, above, below)
    shortest = torch.minimum(to_above, to_below)

    def lower(index: Tensor, by: int) -> Tensor:
        """The index ``by`` levels lower, for numbers that are no further from that level."""
        candidate = (index - by).clamp_(min=0)
        return torch.where((levels[candidate] - x).abs() <= shortest, candidate, index)

    # In float32 several levels can be equally far from a large number: bisect for the lowest.
    if is_traced(x) or x.is_meta or not torch.equal(lower(index, 1), index):
        for bit in reversed(range(len(levels).bit_length())):
            index = lower(index, 1 << bit)
    return torch.where(x.isnan(), 0, index)
