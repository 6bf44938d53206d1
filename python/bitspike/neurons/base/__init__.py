"""What neurons are made of: the class that all derive from, families, and how a layer runs."""

from .neuron import SpikingNeuron
from .never_reset import NeverReset

FIRING = (SpikingNeuron, NeverReset)
"""The classes of modules that fire."""
