"""Spike-timing-dependent plasticity: synapses that learn from the spikes on both sides.

The rules are functions of one step; `STDPLearner` records the spikes and applies a rule to them.
"""

from .convolution import stdp_conv1d_single_step as stdp_conv1d_single_step
from .convolution import stdp_conv2d_single_step as stdp_conv2d_single_step
from .learner import STDPLearner as STDPLearner
from .linear import mstdp_linear_single_step as mstdp_linear_single_step
from .linear import mstdpet_linear_single_step as mstdpet_linear_single_step
from .linear import stdp_linear_single_step as stdp_linear_single_step
