"""Networks that run in integers."""

from .convert import IntegerNetwork as IntegerNetwork
from .convert import to_integer as to_integer
