"""Networks over whole sequences."""

from .unroll import unroll as unroll
