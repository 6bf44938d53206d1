"""Calls of everything public that takes a tensor, as functions of one tensor."""

from uses_of_conversion import CONVERSION
from uses_of_encoders import ENCODERS
from uses_of_events import EVENTS
from uses_of_functional import FUNCTIONAL
from uses_of_layers import LAYERS
from uses_of_local_learning import LOCAL_LEARNING
from uses_of_neurons import NEURONS
from uses_of_plasticity import PLASTICITY
from uses_of_quantisation import QUANTISATION
from uses_of_spike_times import SPIKE_TIMES
from uses_of_spikes import SPIKE_TENSORS
from uses_of_tools import TOOLS

USES = [
    *CONVERSION,
    *ENCODERS,
    *EVENTS,
    *FUNCTIONAL,
    *LAYERS,
    *LOCAL_LEARNING,
    *NEURONS,
    *PLASTICITY,
    *QUANTISATION,
    *SPIKE_TENSORS,
    *SPIKE_TIMES,
    *TOOLS,
]
