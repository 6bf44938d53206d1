"""Neurons: one file each, with snnTorch's names and calling conventions."""

from bitspike.neurons.base.inhibition import KWTA as KWTA
from bitspike.neurons.base.lif import LIF as LIF
from bitspike.neurons.base.neuron import SpikingNeuron as SpikingNeuron

from .adex import AdEx as AdEx
from .alif import ALIF as ALIF
from .alpha import Alpha as Alpha
from .associative_leaky import AssociativeLeaky as AssociativeLeaky
from .base import specification
from .clif import CLIF as CLIF
from .coba_lif import CobaLIF as CobaLIF
from .cuba_lif import CuBaLIF as CuBaLIF
from .delta_leaky import DeltaLeaky as DeltaLeaky
from .eif import EIF as EIF
from .escape_leaky import EscapeLeaky as EscapeLeaky
from .glif import GLIF as GLIF
from .hodgkin_huxley import HodgkinHuxley as HodgkinHuxley
from .integrate_fire import IF as IF
from .izhikevich import Izhikevich as Izhikevich
from .klif import KLIF as KLIF
from .lapicque import Lapicque as Lapicque
from .leaky import Leaky as Leaky
from .leaky_integrator import LI as LI
from .leaky_parallel import LeakyParallel as LeakyParallel
from .linear_leaky import LinearLeaky as LinearLeaky
from .masked_psn import MaskedPSN as MaskedPSN
from .modulated_leaky import ModulatedLeaky as ModulatedLeaky
from .own import Neuron as Neuron
from .plif import PLIF as PLIF
from .psn import PSN as PSN
from .qif import QIF as QIF
from .ralif import RALIF as RALIF
from .refractory_leaky import RefractoryLeaky as RefractoryLeaky
from .resonate_and_fire import ResonateAndFire as ResonateAndFire
from .rleaky import RLeaky as RLeaky
from .rsynaptic import RSynaptic as RSynaptic
from .scan_leaky import ScanLeaky as ScanLeaky
from .sconv2dlstm import SConv2dLSTM as SConv2dLSTM
from .sgru import SGRU as SGRU
from .sliding_psn import SlidingPSN as SlidingPSN
from .slstm import SLSTM as SLSTM
from .srm0 import SRM0 as SRM0
from .state_leaky import StateLeaky as StateLeaky
from .synaptic import Synaptic as Synaptic
from .tclif import TCLIF as TCLIF

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
    Lapicque,
    Alpha,
    DeltaLeaky,
    CuBaLIF,
    PLIF,
    KLIF,
    RefractoryLeaky,
)
"""The neuron of each native kernel, whose tests iterate over them; `IF` and `LI` use `Leaky`'s."""

for kind in reversed(ALL):
    specification.KINDS[kind.NAME] = kind
