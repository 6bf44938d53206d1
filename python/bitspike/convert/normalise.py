"""What a spike of each layer stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from .errors import ConversionError
from .loader import batches, first_batch
from .lowering import lower
from .parts import Model, Part, Rectifier
from .qcfs import QCFS
from .statistics import ROUNDS, Balance, statistic


def limits(
    model: Model, data: Iterable[Tensor], normalise: str, *, steps: int, per_channel: bool
) -> dict[Part, Tensor]:
    """What a spike of each rectifier stands for: a number, or one for each channel ``[C, 1, …]``.

    Raises:
        ConversionError: if an activation is not finite, or never positive.
        ValueError: for an unknown statistic, or no data.
    """
    return _limits(model, data, statistic(normalise, steps), per_channel)


@torch.no_grad()
def _limits(
    model: Model, data: Iterable[Tensor], make: Callable[[], Any], per_channel: bool
) -> dict[Part, Tensor]:
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
    model: nn.Module, loader: Iterable[Any], *, rounds: int = ROUNDS
) -> dict[str, Tensor]:
    r"""Thresholds for each channel of a model, from what its activations exceed them by.

    .. math::
        θ_c ← θ_c + 2·\mathrm{mean}(\max(x_c - θ_c, 0))

    for each batch, beginning with 0: steps down the gradient of the mean square of what is clipped.
    `ann_to_snn` takes it as ``normalise="balance"``; this says what it finds.

    Args:
        model: As for `ann_to_snn`.
        loader: Batches of inputs ``[B, *]``, or of tuples that begin with them.
        rounds: How many steps to take for each batch. One is enough for some hundred batches.

    Returns:
        The thresholds of each rectifier by its path, ``[C, 1, …]``.

    Raises:
        ConversionError: as `ann_to_snn`.
        ValueError: if the loader is empty, or has numbers that are not finite.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> net = nn.Sequential(nn.Identity(), nn.ReLU(), nn.Flatten())
        >>> snn.convert.local_threshold_balancing(net, [torch.tensor([[1.0], [3.0]])], rounds=1)
        {'1': tensor([4.])}
    """
    lowered = lower(model, first_batch(loader))
    found = _limits(lowered, batches(loader), lambda: Balance(rounds), True)
    return {part.name: limit for part, limit in found.items()}
