"""Neurons: one file each, with snnTorch's names and calling conventions."""

from ._lif import LIF as LIF
from ._neuron import SpikingNeuron as SpikingNeuron
from .associativeleaky import AssociativeLeaky as AssociativeLeaky
from .leaky import Leaky as Leaky
from .leakyparallel import LeakyParallel as LeakyParallel
from .linearleaky import LinearLeaky as LinearLeaky
from .stateleaky import StateLeaky as StateLeaky

ALL: tuple[type[SpikingNeuron], ...] = (Leaky,)
"""Every neuron that has a native form."""
