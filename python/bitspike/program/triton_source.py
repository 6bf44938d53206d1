"""Programs as Triton source: a sequence in one kernel, its gradient in another.

An instance of a kernel has `BLOCK` neurons of one row, whose states stay in registers while it goes
through time. Everything is contiguous: step ``t`` of a sequence begins ``t * size`` numbers behind
the first. A constant repeats with a period of 1, N or B·N.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from bitspike.ops.straight_line import Program

from .triton_functions import FORMS


AHEAD = 4
"""How many steps before they are used numbers are loaded."""


class Wanted(NamedTuple):
    """What a kernel does beside the program: one kernel for each."""

    packed: bool = False
    """Whether spikes are bits."""
    history: bool = False
    """Whether the states of all steps are written."""
    saved: bool = False
    """Whether the states before every chunk of steps are written, or read."""


class Asked(NamedTuple):
    """What a kernel for gradients is given, and what it gives: one kernel for each."""

    every: int
    """1 where forward has saved the states before every step; otherwise it computes them again."""
    grads: tuple[bool, ...]
    """Whether there are gradients of the spikes, and of each state at all steps."""
    outputs: tuple[bool, ...]
    """Which gradients of sequences are wanted."""
    sums: tuple[bool, ...]
    """Which gradients of constants are wanted."""


class _Text:
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


def _kernel(name: str, arguments: Sequence[str], body: Sequence[str]) -> str:
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


def _lines(parts: Iterable[list[str]]) -> list[str]:
    return [line for part in parts for line in part]


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _load(variable: str, pointer: str, at: str, present: str = "inside") -> str:
    return f"{variable} = tl.load({pointer} + {at}, mask={present}, other=0.0)"


def _store(pointer: str, at: str, value: str) -> str:
    return f"tl.store({pointer} + {at}, {value}, mask=inside)"


class _Ahead(NamedTuple):
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
        return _load(f"{self.variable}_{waits}", self.pointer, f"{at} * size + place", present)


_BACKWARDS = ("-", ">= 0")


def _constants(program: Program) -> tuple[list[str], list[str]]:
    """Arguments for the constants of a program, and the lines that load them."""
    count = range(len(program.constants))
    loads = [_load(f"constant{i}", f"constant_at{i}", f"place % period{i}") for i in count]
    return [f"{name}{i}" for i in count for name in ("constant_at", "period")], loads


_PACK = (
    # Neuron 64·w + k is bit k of word w of its row.
    "bits = tl.reshape((v{0} != 0).to(tl.int64), [BLOCK // 64, 64])",
    "words = tl.sum(bits << tl.arange(0, 64)[None, :].to(tl.int64), 1)",
    "word = tl.program_id(1) * (BLOCK // 64) + tl.arange(0, BLOCK // 64)",
    "width = (neurons + 63) // 64",
    "word_at = (t * tl.num_programs(0).to(tl.int64) + row) * width + word",
    "tl.store(spikes_at + word_at, words, mask=word < width)",
)


def forward_source(program: Program, wanted: Wanted) -> str:
    """The kernel of a program over a sequence."""
    text = _Text(program, "v")
    spikes = program.spikes
    assert spikes is not None
    used = text.used((spikes, *program.next)) | set(range(program.inputs))
    arguments, loads = _constants(program)
    sequences, states = range(len(program.sequences)), range(len(program.states))
    first = len(sequences)
    body = [*loads, *text.before(used)]
    body += [_load(text.name(first + k), f"first_at{k}", "place") for k in states]
    given = [_Ahead(text.name(i), f"sequence_at{i}") for i in sequences]
    body += _lines(x.first("0") for x in given)
    loop = ["at = t * size + place", *_lines(x.step() for x in given)]
    if wanted.saved:
        loop.append("if t % every == 0:")
        saved = "(t // every) * size + place"
        loop += _indented([_store(f"saved_at{k}", saved, text.name(first + k)) for k in states])
    loop += text.step(used)
    if wanted.packed:
        loop += [line.format(spikes) for line in _PACK]
    else:
        loop.append(_store("spikes_at", "at", f"one * {text.name(spikes)}"))
    loop += _next(text, first)
    if wanted.history:
        loop += [_store(f"state_at{k}", "at", text.name(first + k)) for k in states]
    body += ["for t in range(steps):", *_indented(loop)]
    body += [_store(f"last_at{k}", "place", text.name(first + k)) for k in states]
    arguments += [f"sequence_at{i}" for i in sequences]
    arguments += [f"first_at{k}" for k in states]
    arguments += ["spikes_at", *(f"last_at{k}" for k in states)]
    arguments += [f"state_at{k}" for k in states if wanted.history]
    arguments += [f"saved_at{k}" for k in states if wanted.saved]
    return _kernel("forward", arguments, body)


def _next(text: _Text, first: int) -> list[str]:
    """Every state gets its next value, all at once."""
    after = text.program.next
    lines = [f"next{k} = one * {text.name(x)}" for k, x in enumerate(after)]
    return lines + [f"{text.name(first + k)} = next{k}" for k in range(len(after))]


def backward_source(program: Program, adjoint: Program, asked: Asked) -> str:
    """The kernel of a program's gradient over a sequence."""
    forth, back = _Text(program, "v"), _Text(adjoint, "g")
    inputs, states = len(program.sequences), range(len(program.states))
    sums = [x for x, wanted in zip(adjoint.sums, asked.sums, strict=True) if wanted]
    outputs = [
        (i, x)
        for i, (x, wanted) in enumerate(zip(adjoint.outputs, asked.outputs, strict=True))
        if wanted
    ]
    used = back.used((*adjoint.next, *sums, *(x for _, x in outputs)))
    after = forth.used(program.next)
    chunked = asked.every > 1
    arguments, body = _constants(program)
    body += [*back.before(used), *(forth.before(after) if chunked else ())]
    later = len(adjoint.sequences)
    body += [_load(back.name(later + k), f"later_at{k}", "place") for k in states]
    body += [f"sum{j} = one * 0.0" for j in range(len(sums))]
    given = {i: f"sequence_at{i}" for i in range(inputs)}
    of_grads = inputs + len(states)
    given |= {of_grads + j: f"grad_at{j}" for j, is_given in enumerate(asked.grads) if is_given}
    body += [
        f"{back.name(of_grads + j)} = one * 0.0"
        for j, is_given in enumerate(asked.grads)
        if not is_given
    ]
    turned = [_Ahead(back.name(x), given[x], *_BACKWARDS) for x in sorted(used & set(given))]
    source = "scratch_at" if chunked else "saved_at"
    before = [_Ahead(back.name(inputs + k), f"{source}{k}", *_BACKWARDS) for k in states]
    body += _lines(x.first("steps - 1") for x in turned)
    step = ["at = t * size + place", *_lines(x.step() for x in turned)]
    step += _lines(x.step("k" if chunked else "t") for x in before)
    step += back.step(used)
    step += [_store(f"to_sequence_at{i}", "at", f"one * {back.name(x)}") for i, x in outputs]
    step += [f"sum{j} += {back.name(x)}" for j, x in enumerate(sums)]
    step += _next(back, later)
    if not chunked:
        body += _lines(x.first("steps - 1") for x in before)
        body += ["for j in range(steps):", *_indented(["t = steps - 1 - j", *step])]
    else:
        body += _chunks(forth, after, _lines(x.first("count - 1") for x in before), step)
    body += [_store(f"to_first_at{k}", "place", back.name(later + k)) for k in states]
    body += [_store(f"sum_at{j}", "place", f"sum{j}") for j in range(len(sums))]
    arguments += [f"sequence_at{i}" for i in range(inputs)]
    arguments += [f"{name}{k}" for name in ("saved_at", "later_at", "to_first_at") for k in states]
    arguments += [f"scratch_at{k}" for k in states if chunked]
    arguments += [f"grad_at{j}" for j, given in enumerate(asked.grads) if given]
    arguments += [f"to_sequence_at{i}" for i, _ in outputs]
    arguments += [f"sum_at{j}" for j in range(len(sums))]
    return _kernel("backward", arguments, body)


def _chunks(forth: _Text, after: set[int], before: list[str], step: list[str]) -> list[str]:
    """Chunks from the last to the first: their states are computed again, then gradients."""
    program = forth.program
    inputs, states = len(program.sequences), range(len(program.states))
    chunk = ["number = (steps + every - 1) // every - 1 - c", "start = number * every"]
    chunk += ["count = tl.minimum(every, steps - start)"]
    chunk += [
        _load(forth.name(inputs + k), f"saved_at{k}", "number * size + place") for k in states
    ]
    again = [_store(f"scratch_at{k}", "k * size + place", forth.name(inputs + k)) for k in states]
    given = [
        _Ahead(forth.name(i), f"sequence_at{i}", "+", "< start + count")
        for i in range(inputs)
        if i in after
    ]
    chunk += _lines(x.first("start") for x in given)
    again += [*_lines(x.step("start + k") for x in given), *forth.step(after)]
    again += _next(forth, inputs)
    chunk += ["for k in range(count):", *_indented(again)]
    chunk += ["tl.debug_barrier()", *before]
    turned = ["k = count - 1 - j", "t = start + k", *step]
    chunk += ["for j in range(count):", *_indented(turned)]
    chunk.append("tl.debug_barrier()")
    return ["for c in range((steps + every - 1) // every):", *_indented(chunk)]
