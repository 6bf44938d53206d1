"""How large activations become: what a spike of each layer stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .errors import ConversionError
from .lowering import lower
from .parts import Model, Part, Rectifier, batches
from .qcfs import QCFS

_LEADING = 16
"""Bits of a float that are left out where activations are counted: 7 of its fraction remain."""


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
    r"""A limit that grows by twice what activations exceed it on average.

    .. math::
        θ ← θ + 2·\mathrm{mean}(\max(x - θ, 0))
    """

    def __init__(self) -> None:
        self.limit: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """Sees activations ``[channels, count]``."""
        limit = torch.zeros(len(x), dtype=x.dtype) if self.limit is None else self.limit
        self.limit = limit + 2 * (x - limit.unsqueeze(1)).clamp(min=0).mean(1)

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
        return Balance
    if isinstance(normalise, str) and normalise.endswith("%"):
        try:
            share = float(normalise[:-1]) / 100
        except ValueError:
            share = 0.0
        if 0 < share <= 1:
            return lambda: Percentile(share)
    raise ValueError(
        "normalise must be 'max', 'robust', 'balance' or a percentage such as '99.9%', not "
        f"{normalise!r}"
    )


@torch.no_grad()
def limits(
    model: Model, data: Iterable[Tensor], normalise: str, *, steps: int, per_channel: bool
) -> dict[Part, Tensor]:
    """What a spike of each rectifier stands for: a number, or one for each channel ``[C, 1, …]``.

    Raises:
        ConversionError: if an activation is not finite, or never positive.
        ValueError: for an unknown statistic, or no data.
    """
    make = statistic(normalise, steps)
    found: dict[Part, Any] = {part: make() for part in model.rectifiers()}
    batch = -1
    for batch, x in enumerate(data):
        values = model.values(x)
        for part, statistics in found.items():
            value = values[part]
            if not bool(torch.isfinite(value).all()):
                raise ConversionError(
                    part.name,
                    f"its activations have NaN or infinity in batch {batch} of loader; the model, "
                    "or what is in that batch, is broken",
                )
            rows = value.transpose(0, 1).flatten(1) if per_channel else value.reshape(1, -1)
            statistics.add(rows)
    if batch < 0:
        raise ValueError("loader has no batch; activations are looked at to choose thresholds")
    return {part: _limit(part, x.found(), per_channel) for part, x in found.items()}


def _limit(part: Part, limit: Tensor, per_channel: bool) -> Tensor:
    """The limit of a rectifier, as far as its own does not say otherwise."""
    if isinstance(part.module, QCFS):
        return part.module.limit.detach().clone()
    largest = limit.max()
    if not bool(largest > 0):
        raise ConversionError(
            part.name,
            "no activation is positive for what is in loader; take it out of the model, or pass "
            "data for which it is active",
        )
    # A silent channel takes the limit of its layer, which is as good as any other.
    limit = torch.where(limit > 0, limit, largest)
    assert isinstance(part.module, Rectifier)
    limit = limit.clamp(max=part.module.limit).float()
    return limit.view(-1, *[1] * (len(part.shape) - 1)) if per_channel else limit.view(())


def local_threshold_balancing(
    model: nn.Module, loader: Iterable[Any], *, passes: int = 1
) -> dict[str, Tensor]:
    r"""Thresholds for each channel of a model, from what its activations exceed them by.

    .. math::
        θ_c ← θ_c + 2·\mathrm{mean}(\max(x_c - θ_c, 0))

    for each batch, beginning with 0: a step down the gradient of the mean squared clipping error of
    each channel. `ann_to_snn` takes it as ``normalise="balance"``; this says what it finds.

    Args:
        model: As for `ann_to_snn`.
        loader: Batches of inputs ``[B, *]``, or of tuples that begin with them.
        passes: How often to go through the loader, which must be one that can be started again.

    Returns:
        The thresholds of each rectifier by its path, ``[C, 1, …]``.

    Raises:
        ConversionError: as `ann_to_snn`.
        ValueError: if the loader is empty, or has numbers that are not finite.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Flatten())
        >>> snn.convert.local_threshold_balancing(net, [torch.tensor([[1.0], [3.0]])])
        {'1': tensor([4.])}
    """
    x = first_batch(loader)
    lowered = lower(model, x)
    repeated = (x for _ in range(passes) for x in batches(loader))
    found = limits(lowered, repeated, "balance", steps=1, per_channel=True)
    return {part.name: limit for part, limit in found.items()}


def first_batch(loader: Iterable[Any]) -> Tensor:
    """The first inputs of a loader.

    Raises:
        TypeError: if it is none.
        ValueError: if it is empty.
    """
    if loader is None or not hasattr(loader, "__iter__"):
        raise TypeError(
            "loader must yield batches of inputs, from whose activations thresholds are chosen, "
            f"not be {type(loader).__name__}; a list of a few tensors is enough"
        )
    if hasattr(loader, "__next__"):
        raise TypeError("loader must be one that can be started again, such as a list; not an iterator")
    for x in batches(loader):
        return x
    raise ValueError("loader has no batch; activations are looked at to choose thresholds")
