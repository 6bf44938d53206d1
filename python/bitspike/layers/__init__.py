"""Layers between neurons: normalisation over time, delays, graded spikes, dropout, residuals."""

from .attention import SpikingSelfAttention as SpikingSelfAttention
from .batch_norm import TEBN as TEBN
from .batch_norm import BatchNormTT as BatchNormTT
from .batch_norm import BatchNormTT1d as BatchNormTT1d
from .batch_norm import BatchNormTT2d as BatchNormTT2d
from .batch_norm import tdBN as tdBN
from .delay import SynapticDelay as SynapticDelay
from .delay_linear import DelayLinear as DelayLinear
from .dropout import TimeDropout as TimeDropout
from .graded import GradedSpikes as GradedSpikes
from .hopfield import Hopfield as Hopfield
from .residual import Residual as Residual
from .ring_attractor import RingAttractor as RingAttractor
from .ssm import SSMBlock as SSMBlock
from .wta import WTA as WTA
