"""Predictions from output spikes: by count, by time, by populations, and as early as possible.

All take what neurons return for a sequence, ``[T, B, C]``, packed or not, and answer with one class
per sample. Of equal classes the one with the lowest index wins, unless it says otherwise.
"""

from .predictions import Decision as Decision
from .predictions import EarlyExit as EarlyExit
from .predictions import early_exit as early_exit
from .predictions import latency as latency
from .predictions import population as population
from .predictions import rate as rate
