"""Bits as tensors: packed spikes, and what torch does to them without unpacking.

``table.py`` lists the operations, and hands them to :class:`SpikeTensor`, which knows none itself.
"""

from . import table as table
from .dense import DenseSpikes as DenseSpikes
from .tensor import SpikeTensor as SpikeTensor
from .unpacked_view import UnpackedView as UnpackedView
