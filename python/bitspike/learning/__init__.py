"""Learning rules other than backpropagation through time."""

from . import local as local
