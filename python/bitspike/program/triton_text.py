"""Lines of Triton kernels that go through time.

An instance of a kernel has `BLOCK` neurons of one row, whose states stay in registers. Everything
is contiguous: step ``t`` of a sequence begins ``t * size`` numbers behind the first. A constant is
one number, or repeats with a period of N or B·N.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from bitspike.ops.straight_line import Program

from .triton_functions import FORMS

BLOCK = 64
"""Neurons of an instance of a kernel, each with a thread of its own; a whole word of spikes."""


class Text:
    """Lines of a kernel, and the values of a program as its variables."""

    def __init__(self, program: Program, prefix: str, forms: Mapping[str, str] = FORMS) -> None:
        self.program, self.prefix, self.forms = program, prefix, forms
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

    def used(self, results: Sequence[int], known: Collection[int] = ()) -> set[int]:
        """The values that results are made of, but for what only known ones are made of."""
        found, todo = set(), list(results)
        while todo:
            value = todo.pop()
            if value not in found:
                found.add(value)
                if value >= self.program.inputs and value not in known:
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
            form = self.forms[op].format(*(self.name(x) for x in operands))
            yield f"{self.name(value)} = {form}"


def ahead(operations: int) -> int:
    """How many steps before they are used numbers are loaded, and how many a loop writes out.

    A load from memory takes as long as some ten steps of a simple neuron. Of a larger one it takes
    fewer steps, which are longer to compile.
    """
    return 16 if operations <= 20 else 8 if operations <= 40 else 2


def kernel_source(name: str, arguments: Sequence[str], body: Sequence[str]) -> str:
    """A kernel that knows its place before its body begins."""
    # One compiled kernel for all sizes and addresses: Triton would have others where 16 divides
    # one, or it is 1, or needs 64 bits.
    sizes = {"steps": "i32", "neurons": "i64", "every": "i32"}
    whole = {x: "i64" for x in arguments if x.startswith(("period", "stride"))} | sizes
    given = [f"{x}: '{whole[x]}'" if x in whole else x for x in (*arguments, *sizes)]
    at = [x for x in arguments if x not in whole]
    start = [
        f"BLOCK: tl.constexpr = {BLOCK}",
        "row = tl.program_id(0).to(tl.int64)",
        "column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)",
        "inside = column < neurons",
        "place = row * neurons + column",
        "size = tl.num_programs(0).to(tl.int64) * neurons",
        "zero = tl.full([BLOCK], 0, tl.int32)",
        "one = tl.full([BLOCK], 1.0, tl.float32)",
    ]
    lines = "\n".join(f"    {line}" for line in (*start, *body))
    general = f"do_not_specialize={[*whole]}, do_not_specialize_on_alignment={at}"
    return f"@triton.jit({general})\ndef {name}({', '.join(given)}):\n{lines}\n"


def joined(parts: Iterable[list[str]]) -> list[str]:
    """The lines of all parts."""
    return [line for part in parts for line in part]


def indented(lines: Sequence[str]) -> list[str]:
    """The lines of a block."""
    return [f"    {line}" for line in lines]


def load(variable: str, pointer: str, at: str, present: str = "inside", other: str = "0.0") -> str:
    """Reads a number for each neuron, another where none is present."""
    return f"{variable} = tl.load({pointer} + {at}, mask={present}, other={other})"


def store(pointer: str, at: str, value: str) -> str:
    """Writes a number of each neuron."""
    return f"tl.store({pointer} + {at}, {value}, mask=inside)"


class Ahead(NamedTuple):
    """Numbers that are loaded some steps before the one that uses them.

    A step waits for the one before it; its loads would wait too, and the memory for them. Each
    number has a register of its own until it is used: moving it to another would wait as well. So
    the load of a later number to this register comes last in a step.
    """

    variable: str
    pointer: str
    distance: int
    sign: str = "+"
    """The direction in which steps follow each other."""
    present: str = "< steps"
    """Which steps there are."""
    other: str = "0.0"
    """What stands for the others."""
    stride: str = "size"
    """How far apart in memory steps are."""

    def first(self, start: str) -> list[str]:
        """The loads for the first steps, of which ``start`` is the first."""
        return [self._load(f"{self.variable}_{k}", start, k) for k in range(self.distance)]

    def number(self, now: str, waited: int | None) -> str:
        """The number of a step.

        Args:
            now: The step.
            waited: Which of the registers has it; None to load it now.
        """
        return self.number_of_next(self.variable, now, waited, 0)

    def number_of_next(self, name: str, now: str, waited: int | None, distance: int = 1) -> str:
        """The number of the step that comes next, as another variable."""
        if waited is None:
            return self._load(name, now, distance)
        return f"{name} = {self.variable}_{(waited + distance) % self.distance}"

    def later(self, now: str, waited: int | None) -> list[str]:
        """The load for a later step, which goes to the register of this one's number."""
        if waited is None:
            return []
        return [self._load(f"{self.variable}_{waited}", now, self.distance)]

    def _load(self, variable: str, now: str, distance: int) -> str:
        at = f"({now} {self.sign} {distance})"
        # The interpreter makes no mask of a comparison of single numbers.
        present = f"inside & (zero + {at} {self.present})"
        at = f"{at} * {self.stride} + place"
        return load(variable, self.pointer, at, present, self.other)


Step = Callable[[int | None], list[str]]
"""The lines of a step, by which register of an `Ahead` has its numbers; step number ``j``."""


def through(count: str, distance: int, step: Step) -> list[str]:
    """A loop over ``count`` steps, ``distance`` of them written out, and one over those left."""
    lines = [f"for i in range({count} // {distance}):"]
    for k in range(distance):
        lines += indented([f"j = i * {distance} + {k}", *step(k)])
    lines += [f"for j in range({count} // {distance} * {distance}, {count}):"]
    return lines + indented(step(None))


def next_states(text: Text, first: int) -> list[str]:
    """Every state gets its next value, all at once."""
    after = text.program.next
    lines = [f"next{k} = one * {text.name(x)}" for k, x in enumerate(after)]
    return lines + [f"{text.name(first + k)} = next{k}" for k in range(len(after))]
