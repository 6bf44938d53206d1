"""Learning other than by backpropagation through time."""

from . import online as online
