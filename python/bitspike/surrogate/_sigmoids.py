"""Surrogates that are derivatives of an S-shaped function with slowly or quickly fading tails."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ._surrogate import Surrogate


@dataclass(frozen=True)
class ATan(Surrogate):
    """``(α/2) / (1 + (π·α·x/2)²)``, derivative of ``arctan(π·α·x/2) / π`` (Fang et al. 2021).

    ``normalized=True`` divides it by π, as snnTorch's documentation (but not its code) does; it
    then integrates to ``1/π``, and runs in torch.
    """

    NAME = "atan"
    alpha: float = 2.0
    normalized: bool = False

    def derivative(self, x: Tensor) -> Tensor:
        height = self.alpha / (2 * math.pi) if self.normalized else self.alpha / 2
        return height / (1 + (math.pi / 2 * self.alpha * x) ** 2)

    def primitive(self, x: Tensor) -> Tensor:
        height = 1 / math.pi**2 if self.normalized else 1 / math.pi
        return height * torch.arctan(math.pi / 2 * self.alpha * x)

    def is_native(self) -> bool:
        return not self.normalized


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """``1 / (1 + k·|x|)²``, the derivative of ``x / (1 + k·|x|)`` (Zenke and Ganguli 2018)."""

    NAME = "fast_sigmoid"
    slope: float = 25

    def derivative(self, x: Tensor) -> Tensor:
        return _inverse_square(x, self.slope)

    def primitive(self, x: Tensor) -> Tensor:
        return _softsign(x, self.slope)


@dataclass(frozen=True)
class SuperSpike(Surrogate):
    """``1 / (1 + α·|x|)²``: `FastSigmoid`, sharper by default (Zenke and Ganguli 2018)."""

    NAME = "superspike"
    alpha: float = 100

    def derivative(self, x: Tensor) -> Tensor:
        return _inverse_square(x, self.alpha)

    def primitive(self, x: Tensor) -> Tensor:
        return _softsign(x, self.alpha)


@dataclass(frozen=True)
class SparseFastSigmoid(Surrogate):
    """`FastSigmoid` where ``|x| < B``, else ``0`` (Perez-Nieves and Goodman 2021).

    ``legacy=True`` is snnTorch's, which passes a gradient only where ``x > B``; it runs in torch.
    """

    NAME = "sparse_fast_sigmoid"
    slope: float = 25
    B: float = 1
    legacy: bool = False

    def derivative(self, x: Tensor) -> Tensor:
        inside = x > self.B if self.legacy else x.abs() < self.B
        return torch.where(inside, _inverse_square(x, self.slope), 0.0)

    def primitive(self, x: Tensor) -> Tensor:
        inside = x.clamp(min=self.B) if self.legacy else x.clamp(-self.B, self.B)
        return _softsign(inside, self.slope)

    def is_native(self) -> bool:
        return not self.legacy


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """``k·e / (1 + e)²`` with ``e = exp(-k·|x|)``, the derivative of ``1 / (1 + exp(-k·x))``.

    snnTorch computes the same with ``exp(-k·x)``, which overflows below ``x = -88.7/k``.
    """

    NAME = "sigmoid"
    slope: float = 25

    def derivative(self, x: Tensor) -> Tensor:
        return self.slope * _logistic_bell(x, self.slope)

    def primitive(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.slope * x)


@dataclass(frozen=True)
class Tanh(Surrogate):
    """``1 - tanh²(α·x)``, the derivative of ``tanh(α·x) / α``; it integrates to ``2/α``."""

    NAME = "tanh"
    alpha: float = 1

    def derivative(self, x: Tensor) -> Tensor:
        # The form of the docstring would lose its digits where tanh is nearly 1.
        return 4 * _logistic_bell(x, 2 * self.alpha)

    def primitive(self, x: Tensor) -> Tensor:
        return torch.tanh(self.alpha * x) / self.alpha


def _inverse_square(x: Tensor, slope: float) -> Tensor:
    return 1 / (1 + slope * x.abs()) ** 2


def _softsign(x: Tensor, slope: float) -> Tensor:
    return x / (1 + slope * x.abs())


def _logistic_bell(x: Tensor, slope: float) -> Tensor:
    """``e / (1 + e)²`` with ``e = exp(-k·|x|)``, which cannot overflow."""
    e = torch.exp(-slope * x.abs())
    return e / (1 + e) ** 2
