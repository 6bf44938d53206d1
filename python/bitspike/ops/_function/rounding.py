"""Rounding to given levels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops._dispatch import is_traced


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
        # Numbers are rounded one by one, wherever their axes lie.
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
        """So many levels lower, for the numbers that this is no further from."""
        candidate = (index - by).clamp_(min=0)
        return torch.where((levels[candidate] - x).abs() <= shortest, candidate, index)

    # Seen from far off, levels can be equally far: bisection finds the lowest one.
    if is_traced(x) or x.is_meta or not torch.equal(lower(index, 1), index):
        for bit in reversed(range(len(levels).bit_length())):
            index = lower(index, 1 << bit)
    return torch.where(x.isnan(), 0, index)
