"""Programs with a loop over time, run layer by layer over all steps."""

from .wrapper import Vectorized as Vectorized
from .wrapper import VectorizedFunction as VectorizedFunction
from .wrapper import vectorize as vectorize
