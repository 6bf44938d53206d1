"""Spiking neural networks on CPUs: one bit per spike, with snnTorch's API.

``import bitspike as snn`` in place of ``import snntorch as snn``.
"""

from bitspike import _native as _native
from bitspike import spikegen as spikegen
from bitspike import surrogate as surrogate
from bitspike import utils as utils
from bitspike._aten import unpacked_operations as unpacked_operations
from bitspike._config import show_config as show_config
from bitspike.dense_spikes import DenseSpikes as DenseSpikes
from bitspike.neurons import IF as IF
from bitspike.neurons import KLIF as KLIF
from bitspike.neurons import LI as LI
from bitspike.neurons import LIF as LIF
from bitspike.neurons import PLIF as PLIF
from bitspike.neurons import SRM0 as SRM0
from bitspike.neurons import Alpha as Alpha
from bitspike.neurons import CuBaLIF as CuBaLIF
from bitspike.neurons import DeltaLeaky as DeltaLeaky
from bitspike.neurons import EscapeLeaky as EscapeLeaky
from bitspike.neurons import Lapicque as Lapicque
from bitspike.neurons import Leaky as Leaky
from bitspike.neurons import RefractoryLeaky as RefractoryLeaky
from bitspike.neurons import SpikingNeuron as SpikingNeuron
from bitspike.neurons import Synaptic as Synaptic
from bitspike.ops import _library as _library
from bitspike.ops._buffer import empty_cache as empty_cache
from bitspike.spike_tensor import SpikeTensor as SpikeTensor
from bitspike.unroll import unroll as unroll

__version__: str = _native.describe()["version"]
