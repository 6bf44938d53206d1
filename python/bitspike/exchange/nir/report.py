"""What an exchange of a network has kept, changed and refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .errors import NIRError


class Line(NamedTuple):
    """What became of one node.

    Example:
        >>> print(snn.nir.Line("1", "changed", "the membrane is no output"))
        1: changed: the membrane is no output
    """

    node: str
    """The path of the module, or of the node."""
    status: Literal["ok", "changed", "refused"]
    """Whether it means the same, numbers have changed, or it cannot be said."""
    reason: str
    """What it became, what has changed, or why not and what to do instead."""

    def __str__(self) -> str:
        return f"{self.node}: {self.status}: {self.reason}"


@dataclass
class Report:
    """One or more lines for each node; ``print(report)`` shows them.

    Example:
        >>> report = snn.nir.Report([snn.nir.Line("1", "ok", "Leaky")])
        >>> len(report.lines), report.changed, report.refused
        (1, [], [])
    """

    lines: list[Line] = field(default_factory=list)
    """In the order in which nodes were looked at."""

    def __str__(self) -> str:
        return "\n".join(map(str, self.lines))

    @property
    def changed(self) -> list[Line]:
        """What does not mean the same."""
        return [line for line in self.lines if line.status == "changed"]

    @property
    def refused(self) -> list[Line]:
        """What cannot be said."""
        return [line for line in self.lines if line.status == "refused"]

    def keep(self, node: str, reason: str) -> None:
        """Notes that a node means the same, unless it was noted that it does not."""
        if all(line.node != node for line in self.lines if line.status != "ok"):
            self.lines.append(Line(node, "ok", reason))

    def change(self, node: str, reason: str) -> None:
        """Notes that numbers have changed."""
        self.lines.append(Line(node, "changed", reason))

    def refuse(self, node: str, reason: str) -> None:
        """Notes that a node cannot be said."""
        self.lines.append(Line(node, "refused", reason))

    def expect_none_refused(self) -> None:
        """Raises what was refused.

        Raises:
            NIRError: with a line for each.
        """
        if self.refused:
            raise NIRError("\n".join(f"{line.node}: {line.reason}" for line in self.refused))
