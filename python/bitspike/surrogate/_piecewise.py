"""Surrogates of straight pieces: steps, triangles and constants."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._surrogate import Surrogate


@dataclass(frozen=True)
class StraightThroughEstimator(Surrogate):
    """``1``: the gradient passes unchanged (Bengio et al. 2013)."""

    NAME = "straight_through_estimator"

    def derivative(self, x: Tensor) -> Tensor:
        return torch.ones_like(x)

    def primitive(self, x: Tensor) -> Tensor:
        return x


@dataclass(frozen=True)
class Triangle(Surrogate):
    """``max(0, 1 - |x|/w) / w`` (Bellec et al. 2018).

    It is 0 for ``|x| >= w``: with a width of 0.3 to 0.5 few neurons pass a gradient, which makes
    that of the layer's input much cheaper.
    """

    NAME = "triangle"
    width: float = 1

    def derivative(self, x: Tensor) -> Tensor:
        return (1 - x.abs() / self.width).relu() / self.width

    def primitive(self, x: Tensor) -> Tensor:
        return _parabolas(x / self.width)


@dataclass(frozen=True)
class PiecewiseQuadratic(Surrogate):
    """``max(0, α - α²·|x|)`` (Esser et al. 2016): `Triangle` by its height.

    The name is that of its primitive, which consists of two parabolas.
    """

    NAME = "piecewise_quadratic"
    alpha: float = 1

    def derivative(self, x: Tensor) -> Tensor:
        return (self.alpha - self.alpha**2 * x.abs()).relu()

    def primitive(self, x: Tensor) -> Tensor:
        return _parabolas(self.alpha * x)


@dataclass(frozen=True)
class Boxcar(Surrogate):
    """``1/(2w)`` for ``|x| < w``, else ``0``: with a small width as cheap as `Triangle`."""

    NAME = "boxcar"
    width: float = 1

    def derivative(self, x: Tensor) -> Tensor:
        return (x.abs() < self.width).to(x.dtype) * (0.5 / self.width)

    def primitive(self, x: Tensor) -> Tensor:
        return (x / self.width).clamp(-1, 1) / 2


@dataclass(frozen=True)
class Triangular(Surrogate):
    """``threshold`` for ``x < 0``, else ``-threshold``: snnTorch's, no triangle. See `Triangle`."""

    NAME = "triangular"
    threshold: float = 1

    def derivative(self, x: Tensor) -> Tensor:
        return torch.where(x < 0, 1, -1).to(x.dtype) * self.threshold

    def primitive(self, x: Tensor) -> Tensor:
        return -self.threshold * x.abs()


@dataclass(frozen=True)
class Heaviside(Surrogate):
    """``1`` for ``x > 0``, else ``0``: only neurons that fired pass a gradient."""

    NAME = "heaviside"

    def derivative(self, x: Tensor) -> Tensor:
        return (x > 0).to(x.dtype)

    def primitive(self, x: Tensor) -> Tensor:
        return x.relu()


@dataclass(frozen=True)
class LeakySpikeOperator(Surrogate):
    """``1`` for ``x > 0``, else ``slope``."""

    NAME = "leaky_spike_operator"
    slope: float = 0.1

    def derivative(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, torch.ones_like(x), self.slope)

    def primitive(self, x: Tensor) -> Tensor:
        return torch.where(x > 0, x, self.slope * x)


@dataclass(frozen=True)
class Disabled(Surrogate):
    """``0``: nothing flows back through the spike (``surrogate_disable=True``)."""

    NAME = "disabled"

    def derivative(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)

    def primitive(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x) * x


def _parabolas(x: Tensor) -> Tensor:
    """The integral of ``max(0, 1 - |x|)``."""
    x = x.clamp(-1, 1)
    return x - x * x.abs() / 2
