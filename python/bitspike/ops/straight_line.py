"""What a program is: the step of a neuron as straight-line arithmetic."""

from __future__ import annotations

import json
from typing import NamedTuple

from .equations import show

OPS: dict[str, int] = {
    **dict.fromkeys(("add", "sub", "mul", "div", "minimum", "maximum"), 2),
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or"), 2),
    **dict.fromkeys(("neg", "abs", "sqrt", "reciprocal", "logical_not"), 1),
    **dict.fromkeys(("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf"), 1),
    **dict.fromkeys(("sin", "cos", "tan", "atan"), 1),
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "sign"), 1),
    "where": 3,
}
"""How many operands each operation takes; they are named as in torch.

Comparisons and logic give 1.0 or 0.0, and read what is not 0 as true.
"""

TRANSCENDENTAL = frozenset(
    ("exp", "expm1", "log", "log1p", "tanh", "sigmoid", "sin", "cos", "tan", "atan", "erf")
)
"""The operations whose last bit is not always torch's; all others have torch's bits."""


TRUTHS = frozenset(("gt", "ge", "lt", "le", "eq", "ne", "logical_and", "logical_or", "logical_not"))
"""The operations whose results are 1.0 or 0.0."""


class Instruction(NamedTuple):
    """An operation and the numbers of the values that it takes."""

    op: str
    operands: tuple[int, ...]


class Program(NamedTuple):
    """One step as float32 arithmetic, elementwise over the neurons of a layer ``[B, N]``.

    Values are numbered: sequences, states, constants, immediates, then one for each instruction.
    ``print(program)`` shows it as equations; ``capture`` makes programs.
    """

    sequences: tuple[str, ...]
    """What changes from step to step, ``[T, B, N]`` each: the current first."""
    states: tuple[str, ...]
    """What is carried from step to step, ``[B, N]`` each."""
    constants: tuple[str, ...]
    """What stays: one number each, or ``[N]``, or ``[B, N]``."""
    immediates: tuple[float, ...]
    """Numbers of the program itself, each representable in float32."""
    code: tuple[Instruction, ...]
    spikes: int | None
    """The value that is packed as bits, or written as float32."""
    outputs: tuple[int, ...]
    """Values that are written at every step, ``[T, B, N]`` each."""
    next: tuple[int, ...]
    """For each state its value after the step."""
    sums: tuple[int, ...] = ()
    """Values that are summed over the steps, ``[B, N]`` each."""

    @property
    def inputs(self) -> int:
        """How many values there are before the first instruction."""
        return len(self.sequences + self.states + self.constants + self.immediates)

    def results(self) -> tuple[int, ...]:
        """The numbers of all values that leave the program."""
        spikes = () if self.spikes is None else (self.spikes,)
        return (*spikes, *self.outputs, *self.next, *self.sums)

    def is_truth(self, value: int | None, units: tuple[str, ...] = ()) -> bool:
        """Whether a value is 1 or 0, at every step, if the constants of these names are 1."""
        if value is None:
            return False
        first = len(self.sequences + self.states)
        if first <= value < first + len(self.constants):
            return self.constants[value - first] in units
        if value < self.inputs:
            number = value - first - len(self.constants)
            return number >= 0 and self.immediates[number] in (0, 1)
        op, operands = self.code[value - self.inputs]
        if op == "mul":
            return all(self.is_truth(x, units) for x in operands)
        return op in TRUTHS

    # As tuples, programs that differ in the sign of a 0 would be equal.
    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Program) and self.text() == other.text()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash((self.code, self.spikes, self.outputs, self.next, self.sums))

    def __str__(self) -> str:
        return show(self)

    def text(self) -> str:
        """The program as JSON, which :func:`parse` reads."""
        return json.dumps(self, separators=(",", ":"))


def parse(text: str) -> Program:
    """The program of a text.

    Raises:
        ValueError: if the text is that of no program.
    """
    try:
        sequences, states, constants, immediates, code, spikes, *results = json.loads(text)
        return Program(
            sequences=tuple(sequences),
            states=tuple(states),
            constants=tuple(constants),
            immediates=tuple(immediates),
            code=tuple(Instruction(op, tuple(operands)) for op, operands in code),
            spikes=spikes,
            **{name: tuple(x) for name, x in zip(Program._fields[6:], results, strict=True)},
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"not the text of a program: {text!r}") from error
