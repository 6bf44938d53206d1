"""Learning rules other than backpropagation through time."""

from . import exact as exact
