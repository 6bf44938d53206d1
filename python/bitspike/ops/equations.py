"""Programs as equations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

_SIGNS = {
    **{"mul": ("*", 6), "div": ("/", 6), "add": ("+", 5), "sub": ("-", 5)},
    **{"gt": (">", 4), "ge": (">=", 4), "lt": ("<", 4), "le": ("<=", 4), "eq": ("==", 4)},
    **{"ne": ("!=", 4), "logical_and": ("and", 2), "logical_or": ("or", 1)},
}
"""How Python writes an operation, and how strongly it binds."""
_PREFIX = {"neg": ("-", 7), "logical_not": ("not ", 3)}
_WHOLE = 9
_LONG = 100
"""The width of a line, behind which a part of an expression has a line of its own."""


def show(program: Any) -> str:
    """A program, one equation a line; what is used several times has a name of its own.

    ``mem'`` is the state ``mem`` after the step.
    """
    text = _Text(program)
    parts = [", ".join(names) for names in (program.sequences, program.states, program.constants)]
    lines = [f"step({' | '.join(parts)}):"]
    return "\n".join([*lines, *(f"  {name} = {value}" for name, value in text.lines())])


class _Text:
    def __init__(self, program: Any) -> None:
        self.program = program
        numbers = [f"{x:.9g}" for x in program.immediates]
        self.text = [*program.sequences, *program.states, *program.constants, *numbers]
        self.strength = [_WHOLE if text[0] != "-" else 7 for text in self.text]
        self.uses = Counter(x for instruction in program.code for x in instruction.operands)
        self.named = self._results()

    def _results(self) -> dict[int, list[str]]:
        """The names of the values that leave the program, or of what is made of them."""
        program = self.program
        found: dict[int, list[str]] = {}
        spikes = [] if program.spikes is None else [("spikes", program.spikes)]
        states = [(f"{name}'", x) for name, x in zip(program.states, program.next, strict=True)]
        outputs = [(f"output[{i}]", x) for i, x in enumerate(program.outputs)]
        sums = [(f"sum[{i}]", x) for i, x in enumerate(program.sums)]
        for name, value in (*states, *spikes, *outputs, *sums):
            found.setdefault(value, []).append(name)
        return found

    def lines(self) -> Iterator[tuple[str, str]]:
        program = self.program
        fresh = 0
        for value, names in self.named.items():
            if value < program.inputs:
                yield from ((name, self.text[value]) for name in names)
        for value, instruction in enumerate(program.code, program.inputs):
            text, strength = self._expression(*instruction)
            names = list(self.named.get(value, ()))
            if not names and (self.uses[value] > 1 or len(text) > _LONG):
                fresh += 1
                names = [f"x{fresh}"]
            if names:
                yield names[0], text
                yield from ((other, names[0]) for other in names[1:])
                text, strength = names[0], _WHOLE
            self.text.append(text)
            self.strength.append(strength)

    def _expression(self, op: str, operands: tuple[int, ...]) -> tuple[str, int]:
        if op in _SIGNS:
            sign, strength = _SIGNS[op]
            left, right = operands
            # Only what binds more strongly stands on the right as it is: a - (b - c).
            text = f"{self._inside(left, strength)} {sign} {self._inside(right, strength + 1)}"
            return text, strength
        if op in _PREFIX:
            sign, strength = _PREFIX[op]
            return f"{sign}{self._inside(operands[0], strength)}", strength
        return f"{op}({', '.join(self.text[x] for x in operands)})", _WHOLE

    def _inside(self, value: int, strength: int) -> str:
        text = self.text[value]
        return text if self.strength[value] >= strength else f"({text})"
