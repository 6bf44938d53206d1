"""Networks over whole sequences."""

from .fuse import Fused as Fused
from .fuse import fuse as fuse
from .unroll import unroll as unroll
