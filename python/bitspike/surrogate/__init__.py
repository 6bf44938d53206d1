"""Surrogate gradients: what stands in for the derivative of the firing step.

Forward, every surrogate is the step ``1 if x > 0 else 0`` of ``x = membrane - threshold``;
backward, it multiplies the gradient by its :meth:`~Surrogate.derivative`. Pass one as
``spike_grad=`` to a neuron. snnTorch's names and defaults are kept; docs/surrogates.md shows all.
"""

from __future__ import annotations

from . import schedule as schedule
from ._custom import CustomSurrogate as CustomSurrogate
from ._custom import StochasticSpikeOperator as StochasticSpikeOperator
from ._densities import Erfc as Erfc
from ._densities import Gaussian as Gaussian
from ._densities import MultiGaussian as MultiGaussian
from ._densities import PiecewiseExp as PiecewiseExp
from ._densities import SpikeRateEscape as SpikeRateEscape
from ._learnable import Learnable as Learnable
from ._piecewise import Boxcar as Boxcar
from ._piecewise import Disabled as Disabled
from ._piecewise import Heaviside as Heaviside
from ._piecewise import LeakySpikeOperator as LeakySpikeOperator
from ._piecewise import PiecewiseQuadratic as PiecewiseQuadratic
from ._piecewise import StraightThroughEstimator as StraightThroughEstimator
from ._piecewise import Triangle as Triangle
from ._piecewise import Triangular as Triangular
from ._scheduled import Scheduled as Scheduled
from ._sigmoids import ATan as ATan
from ._sigmoids import FastSigmoid as FastSigmoid
from ._sigmoids import Sigmoid as Sigmoid
from ._sigmoids import SparseFastSigmoid as SparseFastSigmoid
from ._sigmoids import SuperSpike as SuperSpike
from ._sigmoids import Tanh as Tanh
from ._surrogate import Surrogate as Surrogate

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
    MultiGaussian,
    SuperSpike,
    Tanh,
    Erfc,
    PiecewiseQuadratic,
    PiecewiseExp,
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
multi_gaussian = MultiGaussian
superspike = SuperSpike
tanh = Tanh
erfc = Erfc
piecewise_quadratic = PiecewiseQuadratic
piecewise_exp = PiecewiseExp


def logistic(slope: float = 1) -> Sigmoid:
    """`Sigmoid` with slope 1: the derivative of the logistic function itself.

    Example:
        >>> snn.surrogate.logistic()
        Sigmoid(slope=1)
    """
    return Sigmoid(slope)
