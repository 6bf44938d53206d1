"""Surrogates that are, or are made of, densities of a normal or an exponential distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ._surrogate import Surrogate


@dataclass(frozen=True)
class Gaussian(Surrogate):
    """``N(x; 0, σ) = exp(-x²/2σ²) / (σ·√2π)``, a normal density."""

    NAME = "gaussian"
    sigma: float = 0.5

    def derivative(self, x: Tensor) -> Tensor:
        return _normal(x, self.sigma)

    def primitive(self, x: Tensor) -> Tensor:
        return _normal_integral(x, self.sigma)


@dataclass(frozen=True)
class MultiGaussian(Surrogate):
    """``(1+h)·N(x; 0, σ) - h·N(x; -σ, s·σ) - h·N(x; σ, s·σ)`` (Yin, Corradi and Bohté 2021).

    A peak between two shallow negative lobes; it integrates to ``1 - h``.
    """

    NAME = "multi_gaussian"
    h: float = 0.15
    s: float = 6
    sigma: float = 0.5

    def derivative(self, x: Tensor) -> Tensor:
        sigma, wide = self.sigma, self.s * self.sigma
        lobes = _normal(x + sigma, wide) + _normal(x - sigma, wide)
        return (1 + self.h) * _normal(x, sigma) - self.h * lobes

    def primitive(self, x: Tensor) -> Tensor:
        sigma, wide = self.sigma, self.s * self.sigma
        lobes = _normal_integral(x + sigma, wide) + _normal_integral(x - sigma, wide)
        return (1 + self.h) * _normal_integral(x, sigma) - self.h * lobes


@dataclass(frozen=True)
class Erfc(Surrogate):
    """``(α/√π)·exp(-α²·x²)``, the derivative of ``erfc(-α·x) / 2``: `Gaussian` by its sharpness."""

    NAME = "erfc"
    alpha: float = 2

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha / math.sqrt(math.pi) * torch.exp(-((self.alpha * x) ** 2))

    def primitive(self, x: Tensor) -> Tensor:
        return torch.erf(self.alpha * x) / 2


@dataclass(frozen=True)
class PiecewiseExp(Surrogate):
    """``(α/2)·exp(-α·|x|)``, as of a neuron with escape noise (Shrestha and Orchard 2018)."""

    NAME = "piecewise_exp"
    alpha: float = 1

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha / 2 * torch.exp(-self.alpha * x.abs())

    def primitive(self, x: Tensor) -> Tensor:
        return -torch.sign(x) * torch.expm1(-self.alpha * x.abs()) / 2


@dataclass(frozen=True)
class SpikeRateEscape(Surrogate):
    """``k·exp(-β·|x - 1|)``.

    Its peak lies one above threshold, as in snnTorch; ``centered=True`` puts it at the threshold,
    and runs in torch.
    """

    NAME = "spike_rate_escape"
    beta: float = 1
    slope: float = 25
    centered: bool = False

    def derivative(self, x: Tensor) -> Tensor:
        return self.slope * torch.exp(-self.beta * self._from_peak(x).abs())

    def primitive(self, x: Tensor) -> Tensor:
        y = self._from_peak(x)
        return -self.slope / self.beta * torch.sign(y) * torch.expm1(-self.beta * y.abs())

    def _from_peak(self, x: Tensor) -> Tensor:
        return x if self.centered else x - 1

    def is_native(self) -> bool:
        return not self.centered


def _normal(x: Tensor, sigma: float) -> Tensor:
    return torch.exp(-((x / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))


def _normal_integral(x: Tensor, sigma: float) -> Tensor:
    return torch.erf(x / (sigma * math.sqrt(2))) / 2
