"""Monitors: what goes into layers, comes out of them, or stays in them, call by call.

A monitor hangs a hook on every layer of a class. The records are what the layers took or returned,
the same objects: packed spikes stay packed, and what has a graph keeps it. Run the network under
``torch.no_grad()``, or let the monitor's function detach, if memory matters.

One call is one record. A neuron with ``multi_step=True``, or in `bitspike.unroll`, is called once
for a whole sequence; `bitspike.unroll` calls layers without time of their own with time folded into
the batch.
"""

from bitspike.monitors import AttributeMonitor as AttributeMonitor
from bitspike.monitors import BaseMonitor as BaseMonitor
from bitspike.monitors import GradInputMonitor as GradInputMonitor
from bitspike.monitors import GradOutputMonitor as GradOutputMonitor
from bitspike.monitors import InputMonitor as InputMonitor
from bitspike.monitors import OutputMonitor as OutputMonitor
from bitspike.monitors import unpack_len1_tuple as unpack_len1_tuple
