"""Learning rules other than backpropagation through time."""

from . import online as online
