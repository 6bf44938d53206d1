"""Spiking neural networks on CPUs: one bit per spike, with snnTorch's API.

``import bitspike as snn`` in place of ``import snntorch as snn``.
"""

from bitspike import analysis as analysis
from bitspike import backprop as backprop
from bitspike import convert as convert
from bitspike import decode as decode
from bitspike import events as events
from bitspike import export_nir as export_nir
from bitspike import functional as functional
from bitspike import graph as graph
from bitspike import import_nir as import_nir
from bitspike import init as init
from bitspike import layers as layers
from bitspike import learning as learning
from bitspike import moved
from bitspike import neurons as neurons
from bitspike import nir as nir
from bitspike import plasticity as plasticity
from bitspike import program as program
from bitspike import quantize as quantize
from bitspike import scan as scan
from bitspike import spikegen as spikegen
from bitspike import spikeplot as spikeplot
from bitspike import surrogate as surrogate
from bitspike import tasks as tasks
from bitspike import utils as utils
from bitspike.analysis import diagnose as diagnose
from bitspike.analysis import energy as energy
from bitspike.analysis import rescue as rescue
from bitspike.exchange import export_onnx as export_onnx
from bitspike.exchange import export_step as export_step
from bitspike.exchange import load_network as load_network
from bitspike.exchange import save_network as save_network
from bitspike.exchange import verify as verify
from bitspike.layers import TEBN as TEBN
from bitspike.layers import WTA as WTA
from bitspike.layers import BatchNormTT1d as BatchNormTT1d
from bitspike.layers import BatchNormTT2d as BatchNormTT2d
from bitspike.layers import DelayLinear as DelayLinear
from bitspike.layers import GradedSpikes as GradedSpikes
from bitspike.layers import Hopfield as Hopfield
from bitspike.layers import Residual as Residual
from bitspike.layers import RingAttractor as RingAttractor
from bitspike.layers import SpikingSelfAttention as SpikingSelfAttention
from bitspike.layers import SSMBlock as SSMBlock
from bitspike.layers import SynapticDelay as SynapticDelay
from bitspike.layers import TimeDropout as TimeDropout
from bitspike.layers import tdBN as tdBN
from bitspike.neurons import ALIF as ALIF
from bitspike.neurons import CLIF as CLIF
from bitspike.neurons import EIF as EIF
from bitspike.neurons import GLIF as GLIF
from bitspike.neurons import IF as IF
from bitspike.neurons import KLIF as KLIF
from bitspike.neurons import KWTA as KWTA
from bitspike.neurons import LI as LI
from bitspike.neurons import LIF as LIF
from bitspike.neurons import PLIF as PLIF
from bitspike.neurons import PSN as PSN
from bitspike.neurons import QIF as QIF
from bitspike.neurons import RALIF as RALIF
from bitspike.neurons import SGRU as SGRU
from bitspike.neurons import SLSTM as SLSTM
from bitspike.neurons import SRM0 as SRM0
from bitspike.neurons import TCLIF as TCLIF
from bitspike.neurons import AdEx as AdEx
from bitspike.neurons import Alpha as Alpha
from bitspike.neurons import AssociativeLeaky as AssociativeLeaky
from bitspike.neurons import CobaLIF as CobaLIF
from bitspike.neurons import CuBaLIF as CuBaLIF
from bitspike.neurons import DeltaLeaky as DeltaLeaky
from bitspike.neurons import EscapeLeaky as EscapeLeaky
from bitspike.neurons import HodgkinHuxley as HodgkinHuxley
from bitspike.neurons import Izhikevich as Izhikevich
from bitspike.neurons import Lapicque as Lapicque
from bitspike.neurons import Leaky as Leaky
from bitspike.neurons import LeakyParallel as LeakyParallel
from bitspike.neurons import LinearLeaky as LinearLeaky
from bitspike.neurons import MaskedPSN as MaskedPSN
from bitspike.neurons import ModulatedLeaky as ModulatedLeaky
from bitspike.neurons import Neuron as Neuron
from bitspike.neurons import RefractoryLeaky as RefractoryLeaky
from bitspike.neurons import ResonateAndFire as ResonateAndFire
from bitspike.neurons import RLeaky as RLeaky
from bitspike.neurons import RSynaptic as RSynaptic
from bitspike.neurons import ScanLeaky as ScanLeaky
from bitspike.neurons import SConv2dLSTM as SConv2dLSTM
from bitspike.neurons import SlidingPSN as SlidingPSN
from bitspike.neurons import SpikingNeuron as SpikingNeuron
from bitspike.neurons import StateLeaky as StateLeaky
from bitspike.neurons import Synaptic as Synaptic
from bitspike.ops.buffer import empty_cache as empty_cache
from bitspike.ops.config import VERSION
from bitspike.ops.config import show_config as show_config
from bitspike.reference_path import ReferencePathWarning as ReferencePathWarning
from bitspike.run import fuse as fuse
from bitspike.run import stream as stream
from bitspike.run import unroll as unroll
from bitspike.run import vectorize as vectorize
from bitspike.spikes import DenseSpikes as DenseSpikes
from bitspike.spikes import SpikeTensor as SpikeTensor
from bitspike.spikes import UnpackedView as UnpackedView
from bitspike.spikes.table import unpacked_operations as unpacked_operations

__version__: str = VERSION

moved.alias_modules()
