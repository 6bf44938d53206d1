"""Spike-timing-dependent plasticity, snnTorch's name for :mod:`bitspike.plasticity`."""

from bitspike.plasticity import STDPLearner as STDPLearner
from bitspike.plasticity import mstdp_linear_single_step as mstdp_linear_single_step
from bitspike.plasticity import mstdpet_linear_single_step as mstdpet_linear_single_step
from bitspike.plasticity import stdp_conv1d_single_step as stdp_conv1d_single_step
from bitspike.plasticity import stdp_conv2d_single_step as stdp_conv2d_single_step
from bitspike.plasticity import stdp_linear_single_step as stdp_linear_single_step
