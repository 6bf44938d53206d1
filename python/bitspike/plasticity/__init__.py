"""Plasticity: synapses that learn from the spikes on both sides, without a gradient.

A rule is attached to a synapse and the neuron behind it, records what both see, and changes the
weights when `step` is called: see `SynapticRule`.

snnTorch's `STDPLearner`, and its rules as functions of one step, are here as well;
:mod:`bitspike.functional.stdp_learner` is its name for them.
"""

from .convolution import stdp_conv1d_single_step as stdp_conv1d_single_step
from .convolution import stdp_conv2d_single_step as stdp_conv2d_single_step
from .eligibility import MSTDPET as MSTDPET
from .eligibility import DopamineSTDP as DopamineSTDP
from .hebbian import BCM as BCM
from .hebbian import Hebb as Hebb
from .hebbian import Oja as Oja
from .hebbian import RateRule as RateRule
from .homeostasis import IntrinsicHomeostasis as IntrinsicHomeostasis
from .homeostasis import SynapticScaling as SynapticScaling
from .homeostasis import WeightNormalisation as WeightNormalisation
from .learner import STDPLearner as STDPLearner
from .linear import mstdp_linear_single_step as mstdp_linear_single_step
from .linear import mstdpet_linear_single_step as mstdpet_linear_single_step
from .linear import stdp_linear_single_step as stdp_linear_single_step
from .pair_rule import PairRule as PairRule
from .reward import MSTDP as MSTDP
from .reward import RewardRule as RewardRule
from .rule import SynapticRule as SynapticRule
from .short_term import TsodyksMakram as TsodyksMakram
from .stdp import STDP as STDP
from .stdp import InhibitorySTDP as InhibitorySTDP
from .stdp import TripletSTDP as TripletSTDP
