"""Programs: the step of a neuron as arithmetic that runs like a kernel, and its gradient."""

from .capture import Captured as Captured
from .capture import capture as capture
from .capture import refusal as refusal
from .errors import ProgramError as ProgramError
from .program import Instruction as Instruction
from .program import Program as Program
