"""What a delay means in whole steps: the weights of the past inputs that stand for it."""

from __future__ import annotations

import torch
from torch import Tensor

KERNELS = ("linear", "gaussian", "triangle")


def taps(delay: Tensor, max_delay: int, kernel: str, sigma: float) -> Tensor:
    """The weights of the inputs of ``0`` to ``max_delay`` steps ago, ``[max_delay + 1, *delay]``.

    Their sum is 1. The gradient passes through the clamp of the delay to ``[0, max_delay]``, so
    that a delay that was pushed out of the range can return.
    """
    inside = delay.detach().clamp(0, max_delay)
    d = inside + (delay - delay.detach())
    k = torch.arange(max_delay + 1, dtype=d.dtype, device=d.device).view(-1, *(1,) * d.dim())
    if kernel == "gaussian":
        return torch.softmax(-((k - d) ** 2) / (2 * sigma**2), 0)
    if kernel == "triangle":
        heights = torch.relu(1 + sigma - (k - d).abs())
        return heights / heights.sum(0)
    # At the end of the range the delay lies between the last two steps.
    floor = inside.floor().clamp(max=max(max_delay - 1, 0))
    fraction = d - floor
    nothing = torch.zeros_like(fraction)
    return torch.where(k == floor, 1 - fraction, nothing) + torch.where(
        k == floor + 1, fraction, nothing
    )


def expect_range(max_delay: int, sigma: float) -> None:
    """Refuses what is no range of delays, and no width of a kernel.

    Raises:
        ValueError: for another ``max_delay`` than a whole number, or ``sigma <= 0``.
    """
    if not isinstance(max_delay, int) or isinstance(max_delay, bool) or max_delay < 0:
        raise ValueError(f"max_delay must be a whole number of steps, not {max_delay!r}")
    if not sigma > 0:
        raise ValueError(f"sigma must be positive, not {sigma}")
