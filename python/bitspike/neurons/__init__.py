"""Neurons: one file each, with snnTorch's names and calling conventions."""

from ._lif import LIF as LIF
from ._neuron import SpikingNeuron as SpikingNeuron
from .adex import AdEx as AdEx
from .alif import ALIF as ALIF
from .eif import EIF as EIF
from .hodgkin_huxley import HodgkinHuxley as HodgkinHuxley
from .izhikevich import Izhikevich as Izhikevich
from .leaky import Leaky as Leaky
from .qif import QIF as QIF
from .resonate_and_fire import ResonateAndFire as ResonateAndFire
from .synaptic import Synaptic as Synaptic

ALL: tuple[type[SpikingNeuron], ...] = (
    Leaky,
    Synaptic,
    ALIF,
    QIF,
    EIF,
    AdEx,
    Izhikevich,
    HodgkinHuxley,
    ResonateAndFire,
)
"""Every neuron that has a native form."""
