"""Why a step has no program."""

from __future__ import annotations


class ProgramError(ValueError):
    """A neuron's step cannot be written as a program; the message is the reason.

    Example:
        >>> import bitspike as snn
        >>> snn.program.capture(snn.SLSTM(3, 4))
        Traceback (most recent call last):
            ...
        bitspike.program.errors.ProgramError: ...
    """
