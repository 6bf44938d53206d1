"""Networks of few bits: weights in training and after it, products on bits, and rounded states."""

from bitspike.functional.quant import state_quant as state_quant

from .bits import BitLinear as BitLinear
from .format import Format as Format
from .format import Quantised as Quantised
from .format import Scaled as Scaled
from .formats import Binary as Binary
from .formats import Float as Float
from .formats import Integer as Integer
from .formats import Ternary as Ternary
from .integer import IntegerNetwork as IntegerNetwork
from .integer import to_integer as to_integer
from .networks import freeze as freeze
from .networks import prepare as prepare
from .post import post_training as post_training
from .training import QuantConv1d as QuantConv1d
from .training import QuantConv2d as QuantConv2d
from .training import QuantLayer as QuantLayer
from .training import QuantLinear as QuantLinear
