"""Patterns that differ in nothing but when neurons fire."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ._arguments import at_least, positive
from ._task import Task, balanced_labels, split

# Terms of a sum that are smaller than this are left out.
PRECISION = 1e-3
MOST_TERMS = 1000


def spike_patterns(
    samples: int = 1000,
    *,
    classes: int = 10,
    neurons: int = 20,
    num_steps: int = 100,
    dim: int = 1,
    alpha: float = 2.0,
    seed: int = 0,
) -> Task:
    r"""Spike times on smooth random manifolds (Zenke and Vogels 2021): which manifold is it?

    A class is a manifold of ``dim`` dimensions in the space of spike times. A sample is a point of
    it, with coordinates ``z`` drawn uniformly from ``[0, 1]^dim``; neuron ``i`` fires once, at

    .. math::
        f_i(z) = \prod_{j=1}^{\mathrm{dim}} \sum_{k=1}^{K}
            \frac{A_{ijk}}{k^α} \sin(2π (k z_j B_{ijk} + C_{ijk}))

    rescaled such that its first spike among all samples of the class comes at step 0 and its last
    at step ``T - 1``, then rounded. ``A``, ``B`` and ``C`` are uniform in ``[0, 1]``, drawn anew
    for each class. The larger ``α``, the smoother the manifold. All neurons of all samples fire
    once: counts tell nothing. The sum ends where ``1 / k^α`` has fallen to 0.001, at 1,000 terms at
    the latest.

    Args:
        samples: Patterns, 4/5 of them to train on; at least 2 of each class.
        classes: Manifolds, equally frequent.
        neurons: Neurons.
        num_steps: ``T``, at least 2.
        dim: Dimensions of a manifold.
        alpha: ``α``.
        seed: Decides manifolds and samples.

    Returns:
        A task of ``classes`` classes, spikes ``x [N, num_steps, neurons]``.

    Raises:
        ValueError: for an argument out of its range.

    Example:
        >>> task = snn.tasks.spike_patterns(samples=40, classes=4)
        >>> x, y = task.train[0]
        >>> x.shape, x.sum(0).unique()
        (torch.Size([100, 20]), tensor([1.]))
    """
    at_least(2, classes=classes, num_steps=num_steps)
    at_least(2 * classes, samples=samples)
    at_least(1, neurons=neurons, dim=dim)
    positive(alpha=alpha)
    generator = torch.Generator().manual_seed(seed)
    y = balanced_labels(samples, classes, generator)
    terms = math.ceil(min(PRECISION ** (-1 / alpha), MOST_TERMS))
    floats: dict[str, Any] = {"dtype": torch.float64, "device": y.device}
    times = torch.empty(samples, neurons, **floats)
    for label in range(classes):
        manifold = torch.rand(3, neurons, dim, terms, generator=generator, **floats)
        members = y == label
        count = int(members.sum())
        points = torch.rand(count, dim, generator=generator, **floats)
        times[members] = _unit_range(_embed(points, manifold, alpha))
    steps = (times * (num_steps - 1)).round().long()
    x = torch.zeros(samples, num_steps, neurons, dtype=torch.float32, device=y.device)
    x.scatter_(1, steps.unsqueeze(1), 1.0)
    source = "Random manifolds (Zenke and Vogels 2021), computed; there are no rights to it."
    return split(x, y, classes, source)


def _embed(points: Tensor, manifold: Tensor, alpha: float) -> Tensor:
    """``f`` ``[N, neurons]`` at points ``[N, dim]``; ``manifold`` is ``A, B, C [neurons, dim, K]``.

    Some points at a time, as all terms of all of them would need much memory.
    """
    a, b, c = manifold
    k = torch.arange(1, manifold.shape[-1] + 1, dtype=points.dtype, device=points.device)
    times = []
    for z in points[:, None, :, None].split(256):
        terms = a / k**alpha * torch.sin(2 * math.pi * (k * z * b + c))
        times.append(terms.sum(3).prod(2))
    return torch.cat(times)


def _unit_range(times: Tensor) -> Tensor:
    low, high = times.aminmax(dim=0)
    return (times - low) / (high - low)
