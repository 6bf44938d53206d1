"""Learning rules other than backpropagation through time."""

from . import exact as exact
from . import local as local
from . import online as online
