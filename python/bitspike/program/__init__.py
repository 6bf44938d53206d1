"""Programs: the step of a neuron as arithmetic that runs like a kernel, and its gradient."""

from bitspike.ops.straight_line import Instruction as Instruction
from bitspike.ops.straight_line import Program as Program

from .capture import Captured as Captured
from .capture import capture as capture
from .capture import look_up as look_up
from .capture import refusal as refusal
from .errors import ProgramError as ProgramError
