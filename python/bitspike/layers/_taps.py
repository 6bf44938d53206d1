"""What a delay means in whole steps: the weights of the past inputs that stand for it."""

from __future__ import annotations

import torch
from torch import Tensor

KERNELS = ("linear", "gaussian", "triangle")


def taps(delay: Tensor, max_delay: int, kernel: str, sigma: float) -> Tensor:
    """The weights of the inputs of ``0`` to ``max_delay`` steps ago, ``[max_delay + 1, *delay]``.

    Their sum is 1.
    """
    k = torch.arange(max_delay + 1, dtype=delay.dtype, device=delay.device)
    k = k.view(-1, *(1,) * delay.dim())
    if kernel == "linear":
        floor, fraction = between(delay, max_delay)
        nothing = torch.zeros_like(fraction)
        return torch.where(k == floor, 1 - fraction, nothing) + torch.where(
            k == floor + 1, fraction, nothing
        )
    distance = k - _clamped(delay, max_delay)
    if kernel == "gaussian":
        return torch.softmax(-(distance**2) / (2 * sigma**2), 0)
    heights = torch.relu(1 + sigma - distance.abs())
    return heights / heights.sum(0)


def between(delay: Tensor, max_delay: int) -> tuple[Tensor, Tensor]:
    """The step in front of each delay, and how far the delay lies behind it.

    At the end of the range the delay lies between the last two steps.
    """
    d = _clamped(delay, max_delay)
    floor = d.detach().floor().clamp(max=max(max_delay - 1, 0))
    return floor, d - floor


def _clamped(delay: Tensor, max_delay: int) -> Tensor:
    """The value of the clamp with a gradient of 1, so that a delay outside the range can return."""
    inside = delay.detach().clamp(0, max_delay)
    return inside + (delay - delay.detach())


def expect_range(max_delay: int, sigma: float) -> None:
    """Refuses what is no range of delays, and no width of a kernel.

    Raises:
        ValueError: for another ``max_delay`` than a whole number, or ``sigma <= 0``.
    """
    if not isinstance(max_delay, int) or isinstance(max_delay, bool) or max_delay < 0:
        raise ValueError(f"max_delay must be a whole number of steps, not {max_delay!r}")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
