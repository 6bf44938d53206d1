"""Hooks that record: what goes into layers, comes out of them, or stays in them, call by call.

snnTorch's name for them is :mod:`bitspike.functional.probe`, which says what a record is.
"""

from .backward import GradInputMonitor as GradInputMonitor
from .backward import GradOutputMonitor as GradOutputMonitor
from .forward import AttributeMonitor as AttributeMonitor
from .forward import InputMonitor as InputMonitor
from .forward import OutputMonitor as OutputMonitor
from .monitor import BaseMonitor as BaseMonitor
from .monitor import unpack_len1_tuple as unpack_len1_tuple
