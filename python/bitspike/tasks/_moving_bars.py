"""What an event camera sees of a bar that moves."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ._arguments import at_least, positive, probabilities
from ._task import Task, balanced_labels, split


def moving_bars(
    samples: int = 400,
    *,
    directions: int = 4,
    height: int = 16,
    width: int = 16,
    num_steps: int = 20,
    thickness: float = 2.0,
    speed: float = 1.0,
    noise: float = 0.0,
    seed: int = 0,
) -> Task:
    r"""A bright bar moves across a dark field, in one of 4 or 8 directions: which one?

    Direction ``d`` is that of the vector ``n = (cos φ, sin φ)``, ``φ = 2π d / directions``, in
    columns and rows: 0 is right and, as rows count downwards, a quarter turn later down. The bar is
    perpendicular to it and reaches from edge to edge. A pixel at ``p`` is bright at time ``t`` if

    .. math::
        (p·n - p_0 - \mathrm{speed}·t) \bmod L < \mathrm{thickness}

    with ``p_0`` uniform in ``[0, L)``. ``L`` is the extent of the field along ``n`` plus
    ``thickness``: a bar that has left the field enters again on the other side. As in an event
    camera (Lichtsteiner et al. 2008) channel 0, ON, fires where a pixel has become bright since the
    step before, at the front of the bar, and channel 1, OFF, where it has become dark, at its back.
    With probability ``noise`` a pixel fires in addition, each channel by itself.

    Args:
        samples: Sequences, 4/5 of them to train on; directions are equally frequent.
        directions: 4 or 8.
        height: Rows of pixels.
        width: Columns.
        num_steps: ``T``.
        thickness: Of the bar, in pixels.
        speed: Pixels per step, at most ``thickness``: a faster bar would leave gaps.
        noise: Probability of an event of noise, per pixel, channel and step.
        seed: Decides everything random.

    Returns:
        A task of ``directions`` classes, spikes ``x [N, num_steps, 2, height, width]``.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        >>> task = snn.tasks.moving_bars(samples=10, height=1, width=6, num_steps=4)
        >>> x, y = task.train[0]
        >>> x[:, 0, 0].int()  # ON, one row per step
        tensor([[0, 0, 0, 1, 0, 0],
                [0, 0, 0, 0, 1, 0],
                [0, 0, 0, 0, 0, 1],
                [0, 0, 0, 0, 0, 0]], dtype=torch.int32)
        >>> y  # right
        tensor(0)
    """
    at_least(2, samples=samples)
    at_least(1, height=height, width=width, num_steps=num_steps)
    if directions not in (4, 8):
        raise ValueError(f"directions must be 4 or 8, not {directions!r}")
    positive(thickness=thickness, speed=speed)
    if speed > thickness:
        raise ValueError(f"speed must be at most thickness={thickness}, not {speed}")
    probabilities(noise=noise)
    generator = torch.Generator().manual_seed(seed)
    y = balanced_labels(samples, directions, generator)
    start = torch.rand(samples, generator=generator, dtype=torch.float64, device=y.device)
    bright = _bright(
        y,
        start,
        directions=directions,
        height=height,
        width=width,
        num_steps=num_steps,
        thickness=thickness,
        speed=speed,
    )
    before, now = bright[:, :-1], bright[:, 1:]
    x = torch.stack([now & ~before, before & ~now], 2).float()
    if noise:
        x = x.maximum(torch.bernoulli(torch.full_like(x, noise), generator=generator))
    source = "A moving bar as an event camera sees it, computed; there are no rights to it."
    return split(x, y, directions, source)


def _bright(
    y: Tensor,
    start: Tensor,
    directions: int,
    height: int,
    width: int,
    num_steps: int,
    thickness: float,
    speed: float,
) -> Tensor:
    """Which pixels are bright, bool ``[N, T + 1, H, W]``, the first time before the first step."""
    angle = (2 * math.pi / directions * y.double()).view(-1, 1, 1, 1)
    right, down = angle.cos(), angle.sin()
    row = torch.arange(height, dtype=torch.float64, device=y.device).unsqueeze(1)
    column = torch.arange(width, dtype=torch.float64, device=y.device)
    time = torch.arange(num_steps + 1, device=y.device).view(-1, 1, 1)
    period = height * down.abs() + width * right.abs() + thickness
    along = column * right + row * down
    return (along - start.view(-1, 1, 1, 1) * period - speed * time) % period < thickness
