"""Surrogate gradients: what stands in for the derivative of the firing step.

Forward, every surrogate is the step ``1 if x > 0 else 0`` of ``x = membrane - threshold``;
backward, it multiplies the gradient by its :meth:`~Surrogate.derivative`. Names and defaults are
snnTorch's; pass one as ``spike_grad=`` to a neuron.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bitspike._surrogate import Surrogate as Surrogate


@dataclass(frozen=True)
class ATan(Surrogate):
    """``(α/2) / (1 + (π·α·x/2)²)``, derivative of ``arctan(π·α·x/2) / π`` (Fang et al. 2021)."""

    NAME = "atan"
    alpha: float = 2.0

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.alpha / 2 / (1 + (math.pi / 2 * self.alpha * x) ** 2)

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.arctan(math.pi / 2 * self.alpha * x) / math.pi


@dataclass(frozen=True)
class FastSigmoid(Surrogate):
    """``1 / (1 + k·|x|)²``, the derivative of ``x / (1 + k·|x|)`` (Zenke and Ganguli 2018)."""

    NAME = "fast_sigmoid"
    slope: float = 25

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return 1 / (1 + self.slope * x.abs()) ** 2

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return x / (1 + self.slope * x.abs())


@dataclass(frozen=True)
class Sigmoid(Surrogate):
    """``k·e / (1 + e)²`` with ``e = exp(-k·|x|)``, the derivative of ``1 / (1 + exp(-k·x))``.

    snnTorch computes the same with ``exp(-k·x)``, which overflows below ``x = -88.7/k``.
    """

    NAME = "sigmoid"
    slope: float = 25

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        e = torch.exp(-self.slope * x.abs())
        return self.slope * e / (1 + e) ** 2

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.sigmoid(self.slope * x)


@dataclass(frozen=True)
class StraightThroughEstimator(Surrogate):
    """``1``: the gradient passes unchanged (Bengio et al. 2013)."""

    NAME = "straight_through_estimator"

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.ones_like(x)

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return x


@dataclass(frozen=True)
class Triangular(Surrogate):
    """``threshold`` for ``x < 0``, else ``-threshold``: snnTorch's, no triangle. See `Triangle`."""

    NAME = "triangular"
    threshold: float = 1

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.full_like(x, -self.threshold).masked_fill(x < 0, self.threshold)

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return -self.threshold * x.abs()


@dataclass(frozen=True)
class SpikeRateEscape(Surrogate):
    """``k·exp(-β·|x - 1|)``.

    Its peak lies one above threshold, as in snnTorch; ``centered=True`` puts it at the threshold.
    """

    NAME = "spike_rate_escape"
    beta: float = 1
    slope: float = 25
    centered: bool = False

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.slope * torch.exp(-self.beta * (x if self.centered else x - 1).abs())

    def is_native(self) -> bool:  # noqa: D102
        return not self.centered


@dataclass(frozen=True)
class Heaviside(Surrogate):
    """``1`` for ``x > 0``, else ``0``: only neurons that fired pass a gradient."""

    NAME = "heaviside"

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return (x > 0).to(x.dtype)

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return x.relu()


@dataclass(frozen=True)
class LeakySpikeOperator(Surrogate):
    """``1`` for ``x > 0``, else ``slope``."""

    NAME = "leaky_spike_operator"
    slope: float = 0.1

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.full_like(x, self.slope).masked_fill(x > 0, 1)

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.where(x > 0, x, self.slope * x)


@dataclass(frozen=True)
class SparseFastSigmoid(Surrogate):
    """`FastSigmoid` where ``|x| < B``, else ``0`` (Perez-Nieves and Goodman 2021).

    ``legacy=True`` is snnTorch's, which passes a gradient only where ``x > B``.
    """

    NAME = "sparse_fast_sigmoid"
    slope: float = 25
    B: float = 1
    legacy: bool = False

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        inside = x > self.B if self.legacy else x.abs() < self.B
        return torch.where(inside, FastSigmoid(self.slope).derivative(x), 0.0)

    def is_native(self) -> bool:  # noqa: D102
        return not self.legacy


@dataclass(frozen=True)
class Triangle(Surrogate):
    """``max(0, 1 - |x|/w) / w`` (Bellec et al. 2018)."""

    NAME = "triangle"
    width: float = 1

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return (1 - x.abs() / self.width).relu() / self.width

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        y = (x / self.width).clamp(-1, 1)
        return y - y * y.abs() / 2


@dataclass(frozen=True)
class Boxcar(Surrogate):
    """``1/(2w)`` for ``|x| < w``, else ``0``."""

    NAME = "boxcar"
    width: float = 1

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.zeros_like(x).masked_fill(x.abs() < self.width, 0.5 / self.width)

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return x.clamp(-self.width, self.width) / (2 * self.width)


@dataclass(frozen=True)
class Gaussian(Surrogate):
    """``exp(-x²/2σ²) / (σ·√2π)``."""

    NAME = "gaussian"
    sigma: float = 0.5

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        peak = 1 / (self.sigma * math.sqrt(2 * math.pi))
        return peak * torch.exp(-((x / self.sigma) ** 2) / 2)

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.erf(x / (self.sigma * math.sqrt(2))) / 2


@dataclass(frozen=True)
class Disabled(Surrogate):
    """``0``: nothing flows back through the spike (``surrogate_disable=True``)."""

    NAME = "disabled"

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.zeros_like(x)

    def primitive(self, x: Tensor) -> Tensor:  # noqa: D102
        return torch.zeros_like(x) * x


@dataclass(frozen=True)
class StochasticSpikeOperator(Surrogate):
    """``1`` where a spike was fired, else noise ``(U(0, 1) - 0.5 + mean)·variance``.

    Runs in torch; the noise comes from torch's generator.
    """

    mean: float = 0
    variance: float = 0.2

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        noise = (torch.rand_like(x) - 0.5 + self.mean) * self.variance
        return torch.where(x > 0, 1.0, noise)


@dataclass(frozen=True)
class CustomSurrogate(Surrogate):
    """A gradient of the user's own. Runs in torch.

    Args:
        function: ``(input_, grad_input, spikes) -> gradient``, all tensors of one shape.
    """

    function: Callable[[Tensor, Tensor, Tensor], Tensor]

    def gradient(self, x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:  # noqa: D102
        return self.function(x, grad, spikes)

    def derivative(self, x: Tensor) -> Tensor:  # noqa: D102
        return self.function(x, torch.ones_like(x), (x > 0).to(x.dtype))


ALL: tuple[type[Surrogate], ...] = (
    ATan,
    FastSigmoid,
    Sigmoid,
    StraightThroughEstimator,
    Triangular,
    SpikeRateEscape,
    Heaviside,
    LeakySpikeOperator,
    SparseFastSigmoid,
    Triangle,
    Boxcar,
    Gaussian,
    Disabled,
)
"""Every surrogate that has a native form."""

# The names that snnTorch users know, and the new ones in the same style.
atan = ATan
fast_sigmoid = FastSigmoid
sigmoid = Sigmoid
straight_through_estimator = StraightThroughEstimator
triangular = Triangular
spike_rate_escape = SpikeRateEscape
heaviside = Heaviside
SSO = StochasticSpikeOperator
LSO = LeakySpikeOperator
SFS = SparseFastSigmoid
custom_surrogate = CustomSurrogate
triangle = Triangle
boxcar = Boxcar
gaussian = Gaussian
