"""Networks over whole sequences."""

from .fuse import Fused as Fused
from .fuse import fuse as fuse
from .stream import Stream as Stream
from .stream import stream as stream
from .unroll import unroll as unroll
from .vectorize import Vectorized as Vectorized
from .vectorize import VectorizedFunction as VectorizedFunction
from .vectorize import vectorize as vectorize
