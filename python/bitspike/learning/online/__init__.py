"""Online learning: rules that need no graph of the past.

A `Learner` calls a network step by step and gives its parameters the gradient of a `Rule`.
"""

from .fptt import FPTT as FPTT
from .learner import Learner as Learner
from .presets import DECOLLE as DECOLLE
from .presets import ETLP as ETLP
from .presets import OSTL as OSTL
from .presets import OSTTP as OSTTP
from .presets import OTPE as OTPE
from .presets import OTTT as OTTT
from .presets import RFLO as RFLO
from .presets import RTRL as RTRL
from .presets import SLTT as SLTT
from .presets import STLLR as STLLR
from .presets import UORO as UORO
from .presets import EProp as EProp
from .presets import SnAp as SnAp
from .rule import Rule as Rule
