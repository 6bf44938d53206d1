"""How large activations become, seen batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

_LEADING = 16
"""Bits of a float that are left out where activations are counted: 7 of its fraction remain."""
ROUNDS = 100
"""How often `local_threshold_balancing` looks at a batch."""


class Largest:
    """The largest activation."""

    def __init__(self) -> None:
        self.limit: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """Sees activations ``[channels, count]``."""
        largest = x.amax(1)
        self.limit = largest if self.limit is None else torch.maximum(self.limit, largest)

    def found(self) -> Tensor:
        """The limit of each channel; 0 for one that was never active."""
        assert self.limit is not None
        return self.limit


class Counted:
    """How many positive activations there are of each size, to within 1 %.

    They are counted by their leading bits, so that memory does not grow with the data.
    """

    def __init__(self) -> None:
        self.counts: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """Sees activations ``[channels, count]``."""
        bins = 2 ** (31 - _LEADING)
        leading = x.float().contiguous().view(torch.int32) >> _LEADING
        rows = torch.arange(len(x)).unsqueeze(1) * bins
        counts = torch.bincount((leading + rows).flatten(), minlength=len(x) * bins)
        counts = counts.view(len(x), bins)
        counts[:, 0] = 0  # zeros, which say nothing of how large activations become
        self.counts = counts if self.counts is None else self.counts + counts


class Percentile(Counted):
    """The value below which a share of the positive activations lies."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def found(self) -> Tensor:
        """The limit of each channel; 0 for one that was never active."""
        assert self.counts is not None
        sums = self.counts.cumsum(1)
        wanted = (sums[:, -1:] * self.share).ceil()
        limit = _sizes((sums < wanted).sum(1) + 1)
        return torch.where(sums[:, -1] > 0, limit, 0.0)


class SmallestError(Counted):
    r"""The value ``λ`` with the smallest mean square of what clipping and rounding change.

    .. math::
        \sum_{x > λ} (x - λ)^2 + \sum_{x ≤ λ} \frac{1}{12}\left(\frac{λ}{T}\right)^2
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def found(self) -> Tensor:
        """The limit of each channel; 0 for one that was never active."""
        assert self.counts is not None
        used = self.counts.sum(0).nonzero().flatten()
        if not len(used):
            return torch.zeros(len(self.counts))
        counts, sizes = self.counts[:, used].double(), _sizes(used + 1).double()
        # Sums over all sizes above each candidate.
        count, first, second = (
            x.sum(1, keepdim=True) - x.cumsum(1)
            for x in (counts, counts * sizes, counts * sizes.square())
        )
        clipped = second - 2 * sizes * first + sizes.square() * count
        rounded = counts.cumsum(1) * (sizes / self.steps).square() / 12
        limit = sizes[(clipped + rounded).argmin(1)].float()
        return torch.where(counts.sum(1) > 0, limit, 0.0)


def _sizes(leading: Tensor) -> Tensor:
    """The floats with these leading bits."""
    return (leading << _LEADING).to(torch.int32).view(torch.float32)


class Balance:
    r"""A limit that grows by twice what activations exceed it by on average, again and again.

    .. math::
        θ ← θ + 2·\mathrm{mean}(\max(x - θ, 0))
    """

    def __init__(self, rounds: int) -> None:
        self.rounds = rounds
        self.limit: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """Sees activations ``[channels, count]``."""
        limit = torch.zeros(len(x), dtype=x.dtype) if self.limit is None else self.limit
        for _ in range(self.rounds):
            limit = limit + 2 * (x - limit.unsqueeze(1)).clamp(min=0).mean(1)
        self.limit = limit

    def found(self) -> Tensor:
        """The limit of each channel; 0 for one that was never active."""
        assert self.limit is not None
        return self.limit


def statistic(normalise: str, steps: int) -> Callable[[], Any]:
    """What finds limits, by its name.

    Raises:
        ValueError: for an unknown name.
    """
    if normalise == "max":
        return Largest
    if normalise == "robust":
        return lambda: Percentile(0.999)
    if normalise == "error":
        return lambda: SmallestError(steps)
    if normalise == "balance":
        return lambda: Balance(ROUNDS)
    if isinstance(normalise, str) and normalise.endswith("%"):
        try:
            share = float(normalise[:-1]) / 100
        except ValueError:
            share = 0.0
        if 0 < share <= 1:
            return lambda: Percentile(share)
    raise ValueError(
        "normalise must be 'error', 'max', 'robust', 'balance' or a percentage such as '99.9%', "
        f"not {normalise!r}"
    )
