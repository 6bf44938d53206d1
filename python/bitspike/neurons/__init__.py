"""Neurons: one file each, with snnTorch's names and calling conventions."""

from ._lif import LIF as LIF
from ._neuron import SpikingNeuron as SpikingNeuron
from .alpha import Alpha as Alpha
from .cuba_lif import CuBaLIF as CuBaLIF
from .delta_leaky import DeltaLeaky as DeltaLeaky
from .escape_leaky import EscapeLeaky as EscapeLeaky
from .integrate_fire import IF as IF
from .klif import KLIF as KLIF
from .lapicque import Lapicque as Lapicque
from .leaky import Leaky as Leaky
from .leaky_integrator import LI as LI
from .plif import PLIF as PLIF
from .refractory_leaky import RefractoryLeaky as RefractoryLeaky
from .srm0 import SRM0 as SRM0
from .synaptic import Synaptic as Synaptic

ALL: tuple[type[SpikingNeuron], ...] = (
    Leaky,
    Synaptic,
    Lapicque,
    Alpha,
    DeltaLeaky,
    CuBaLIF,
    PLIF,
    KLIF,
    RefractoryLeaky,
)
"""The neuron of each native kernel, whose tests iterate over them; `IF` and `LI` use `Leaky`'s."""
