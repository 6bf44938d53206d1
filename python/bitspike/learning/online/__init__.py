"""Online learning: rules that need no graph of the past.

A `Learner` calls a network step by step and gives its parameters the gradient of a `Rule`.
"""

from .fptt import FPTT as FPTT
from .learner import Learner as Learner
from .presets import OSTL as OSTL
from .presets import OTPE as OTPE
from .presets import OTTT as OTTT
from .presets import RFLO as RFLO
from .presets import RTRL as RTRL
from .presets import SLTT as SLTT
from .presets import STLLR as STLLR
from .presets import UORO as UORO
from .presets import SnAp as SnAp
from .rule import Rule as Rule
from .signal_presets import DECOLLE as DECOLLE
from .signal_presets import ETLP as ETLP
from .signal_presets import OSTTP as OSTTP
from .signal_presets import EProp as EProp
