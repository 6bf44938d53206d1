"""The boundary to the native module: words and floats in and out."""

from . import operators as operators
