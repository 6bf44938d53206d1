"""Neurons: one file each, with snnTorch's names and calling conventions."""

from ._inhibition import KWTA as KWTA
from ._lif import LIF as LIF
from ._neuron import SpikingNeuron as SpikingNeuron
from .leaky import Leaky as Leaky
from .sconv2dlstm import SConv2dLSTM as SConv2dLSTM
from .sgru import SGRU as SGRU
from .slstm import SLSTM as SLSTM

ALL: tuple[type[SpikingNeuron], ...] = (Leaky,)
"""Every neuron that has a native form."""
