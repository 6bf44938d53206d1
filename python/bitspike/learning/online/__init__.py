"""Online learning: rules that need no graph of the past.

A `Learner` calls a network step by step and gives its parameters the gradient of a `Rule`.
"""

from .learner import Learner as Learner
from .presets import OSTL as OSTL
from .presets import OTTT as OTTT
from .presets import RTRL as RTRL
from .presets import SLTT as SLTT
from .rule import Rule as Rule
