"""Exact gradients of spike times: SpikeProp and EventProp, in continuous time.

The layers of this folder know no time steps. Their spikes have times, which are found to the last
bits, and these have gradients, which are exact as long as no spike appears or vanishes.
"""

from .event_layer import EventLIF as EventLIF
from .event_tensor import EventTensor as EventTensor
from .first_spike import FirstSpikeLoss as FirstSpikeLoss
from .first_spike import TTFSLinear as TTFSLinear
