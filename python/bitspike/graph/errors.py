"""Why a program is not captured."""

from __future__ import annotations


class GraphError(ValueError):
    """A program cannot be captured as a graph: the line of the program, and the reason.

    Example:
        >>> import torch, bitspike as snn
        >>> def program(x):
        ...     return x * 2 if x.sum() > 0 else x
        >>> snn.graph.capture(program, torch.ones(3))
        Traceback (most recent call last):
            ...
        bitspike.graph.errors.GraphError: ...the numbers of a tensor decide...
    """

    def __init__(self, reason: str, line: str = "") -> None:
        """Joins the reason and the line that it concerns."""
        super().__init__(f"{line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line
