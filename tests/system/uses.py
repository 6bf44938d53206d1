"""Calls of everything public that takes a tensor, as functions of one tensor."""

from uses_of_encoders import ENCODERS
from uses_of_functional import FUNCTIONAL
from uses_of_tools import TOOLS

USES = [*ENCODERS, *FUNCTIONAL, *TOOLS]
