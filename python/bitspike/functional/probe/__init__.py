"""Monitors: what goes into layers, comes out of them, or stays in them, call by call.

A monitor hangs a hook on every layer of a class. The records are what the layers took or returned,
the same objects: packed spikes stay packed, and what has a graph keeps it. Run the network under
``torch.no_grad()``, or let the monitor's function detach, if memory matters.

One call is one record. A neuron with ``multi_step=True``, or in `bitspike.unroll`, is called once
for a whole sequence; `bitspike.unroll` calls layers without time of their own with time folded into
the batch.
"""

from ._backward import GradInputMonitor as GradInputMonitor
from ._backward import GradOutputMonitor as GradOutputMonitor
from ._forward import AttributeMonitor as AttributeMonitor
from ._forward import InputMonitor as InputMonitor
from ._forward import OutputMonitor as OutputMonitor
from ._monitor import BaseMonitor as BaseMonitor
from ._monitor import unpack_len1_tuple as unpack_len1_tuple
