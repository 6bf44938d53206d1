"""Lines of Triton kernels that go through time.

An instance of a kernel has `BLOCK` neurons of one row, whose states stay in registers. Everything
is contiguous: step ``t`` of a sequence begins ``t * size`` numbers behind the first. A constant
repeats with a period of 1, N or B·N.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bitspike.ops.straight_line import Program

from .triton_functions import FORMS

AHEAD = 8
"""How many steps before they are used numbers are loaded."""


class Text:
    """Lines of a kernel, and the values of a program as its variables."""

    def __init__(self, program: Program, prefix: str) -> None:
        self.program, self.prefix = program, prefix
        first = len(program.sequences) + len(program.states)
        self.kept = first + len(program.constants)
        fixed = set(range(first, program.inputs))
        for value, instruction in enumerate(program.code, program.inputs):
            if fixed.issuperset(instruction.operands):
                fixed.add(value)
        self.fixed = fixed

    def name(self, value: int) -> str:
        """The variable of a value."""
        return f"{self.prefix}{value}"

    def used(self, results: Sequence[int]) -> set[int]:
        """The values that results are made of."""
        found, todo = set(), list(results)
        while todo:
            value = todo.pop()
            if value not in found:
                found.add(value)
                if value >= self.program.inputs:
                    todo += self.program.code[value - self.program.inputs].operands
        return found

    def before(self, used: set[int]) -> Iterator[str]:
        """What does not change from step to step."""
        program = self.program
        first = self.kept - len(program.constants)
        for value in sorted(used & self.fixed):
            if value < self.kept:
                yield f"{self.name(value)} = constant{value - first}"
            elif value < program.inputs:
                number = program.immediates[value - self.kept]
                literal = repr(number) if math.isfinite(number) else f'float("{number}")'
                yield f"{self.name(value)} = tl.full([BLOCK], {literal}, tl.float32)"
        yield from self._code(used & self.fixed)

    def step(self, used: set[int]) -> Iterator[str]:
        """What each step computes."""
        yield from self._code(used - self.fixed)

    def _code(self, values: set[int]) -> Iterator[str]:
        program = self.program
        for value in sorted(x for x in values if x >= program.inputs):
            op, operands = program.code[value - program.inputs]
            form = FORMS[op].format(*(self.name(x) for x in operands))
            yield f"{self.name(value)} = {form}"


def kernel_source(name: str, arguments: Sequence[str], body: Sequence[str]) -> str:
    """A kernel that knows its place before its body begins."""
    sizes = ("steps", "neurons", "every")
    given = ", ".join([*arguments, *sizes, "BLOCK: tl.constexpr"])
    # One compiled kernel for all sizes: Triton would have others where 16 divides one, or it is 1.
    plain = [*sizes, *(x for x in arguments if x.startswith("period"))]
    start = [
        "row = tl.program_id(0).to(tl.int64)",
        "column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)",
        "inside = column < neurons",
        "place = row * neurons + column",
        "size = tl.num_programs(0).to(tl.int64) * neurons",
        "zero = tl.full([BLOCK], 0, tl.int32)",
        "one = tl.full([BLOCK], 1.0, tl.float32)",
    ]
    lines = "\n".join(f"    {line}" for line in (*start, *body))
    return f"@triton.jit(do_not_specialize={plain})\ndef {name}({given}):\n{lines}\n"


def joined(parts: Iterable[list[str]]) -> list[str]:
    """The lines of all parts."""
    return [line for part in parts for line in part]


def indented(lines: Sequence[str]) -> list[str]:
    """The lines of a block."""
    return [f"    {line}" for line in lines]


def load(variable: str, pointer: str, at: str, present: str = "inside") -> str:
    """Reads a number for each neuron, 0 where none is present."""
    return f"{variable} = tl.load({pointer} + {at}, mask={present}, other=0.0)"


def store(pointer: str, at: str, value: str) -> str:
    """Writes a number of each neuron."""
    return f"tl.store({pointer} + {at}, {value}, mask=inside)"


class Ahead(NamedTuple):
    """Numbers that are loaded some steps before the one that uses them.

    A step waits for the one before it; its loads would wait too, and the memory for them.
    """

    variable: str
    pointer: str
    sign: str = "+"
    """The direction in which steps follow each other."""
    present: str = "< steps"
    """Which steps there are."""

    def first(self, start: str) -> list[str]:
        """The loads for the first steps, of which ``start`` is the first."""
        return [self._load(k, start, k) for k in range(AHEAD)]

    def step(self, now: str = "t") -> list[str]:
        """The number of a step, and the load for a later one."""
        names = [self.variable, *(f"{self.variable}_{k}" for k in range(AHEAD))]
        return [
            *(f"{a} = {b}" for a, b in itertools.pairwise(names)),
            self._load(AHEAD - 1, now, AHEAD),
        ]

    def _load(self, waits: int, now: str, distance: int) -> str:
        at = f"({now} {self.sign} {distance})"
        # The interpreter makes no mask of a comparison of single numbers.
        present = f"inside & (zero + {at} {self.present})"
        return load(f"{self.variable}_{waits}", self.pointer, f"{at} * size + place", present)


BACKWARDS = ("-", ">= 0")


def constants(program: Program) -> tuple[list[str], list[str]]:
    """Arguments for the constants of a program, and the lines that load them."""
    count = range(len(program.constants))
    loads = [load(f"constant{i}", f"constant_at{i}", f"place % period{i}") for i in count]
    return [f"{name}{i}" for i in count for name in ("constant_at", "period")], loads


def next_states(text: Text, first: int) -> list[str]:
    """Every state gets its next value, all at once."""
    after = text.program.next
    lines = [f"next{k} = one * {text.name(x)}" for k, x in enumerate(after)]
    return lines + [f"{text.name(first + k)} = next{k}" for k in range(len(after))]
