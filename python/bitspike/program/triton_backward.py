"""Gradients of programs as Triton source: from the last step of a sequence to the first."""

from __future__ import annotations

import enum
from typing import NamedTuple

from bitspike.ops.straight_line import Program

from .triton_constants import Constant, in_backward
from .triton_functions import OF_GRADIENTS
from .triton_text import (
    Ahead,
    Text,
    ahead,
    indented,
    joined,
    kernel_source,
    load,
    next_states,
    store,
    through,
)


class Kept(enum.Enum):
    """Which states forward has kept for backward."""

    HISTORY = enum.auto()
    """Those after every step."""
    CHUNKS = enum.auto()
    """Those before every chunk of steps, from which the others are computed again."""


class Asked(NamedTuple):
    """What a kernel for gradients is given, and what it gives: one kernel for each."""

    constants: tuple[Constant, ...]
    at_rest: bool
    """Whether all states started at 0; else they were given."""
    kept: Kept
    grads: tuple[bool, ...]
    """Whether there are gradients of the spikes, and of each state at all steps."""
    later: tuple[bool, ...]
    """Whether there are gradients of each state after the last step."""
    outputs: tuple[bool, ...]
    """Which gradients of sequences are wanted."""
    firsts: tuple[bool, ...]
    """Which gradients of states before the first step are wanted."""
    sums: tuple[bool, ...]
    """Which gradients of constants are wanted."""


def backward_source(program: Program, adjoint: Program, asked: Asked) -> str:
    """The kernel of a program's gradient over a sequence."""
    forth, back = Text(program, "v"), Text(adjoint, "g", OF_GRADIENTS)
    inputs, states = len(program.sequences), range(len(program.states))
    sums = [x for x, wanted in zip(adjoint.sums, asked.sums, strict=True) if wanted]
    outputs = [
        (i, x)
        for i, (x, wanted) in enumerate(zip(adjoint.outputs, asked.outputs, strict=True))
        if wanted
    ]
    known = next_states_of(program, adjoint)
    used = back.used((*adjoint.next, *sums, *(x for _, x in outputs)), known)
    chunked = asked.kept is Kept.CHUNKS
    given_first = not (chunked or asked.at_rest)
    distance = ahead(len([x for x in used if x >= adjoint.inputs]))
    arguments, body = in_backward(asked.constants)
    body += back.before(used)
    later = len(adjoint.sequences)
    of_grads = later - len(asked.grads)
    body += [
        load(back.name(later + k), f"later_at{k}", "place")
        if asked.later[k]
        else f"{back.name(later + k)} = one * 0.0"
        for k in states
    ]
    body += [f"sum{j} = one * 0.0" for j in range(len(sums))]
    given = {i: (f"sequence_at{i}", "size") for i in range(inputs)}
    for j, is_given in enumerate(asked.grads):
        if is_given:
            given[of_grads + j] = f"grad_at{j}", f"stride{j}"
        else:
            body.append(f"{back.name(of_grads + j)} = one * 0.0")
    present = ">= start" if chunked else ">= 0"
    turned = [
        Ahead(back.name(x), pointer, distance, "-", present=present, stride=stride)
        for x, (pointer, stride) in sorted(given.items())
        if x in used
    ]
    at = "scratch_at" if chunked else "state_at"
    kept = [
        Ahead(f"state{k}", f"{at}{k}", distance, "-", present=">= 0", other=f"first{k}")
        for k in states
    ]
    of_kept = "k" if chunked else "t"

    def step(waited: int | None) -> list[str]:
        lines = ["k = count - 1 - j", "t = start + k"] if chunked else ["t = steps - 1 - j"]
        lines += ["at = t * size + place", *(x.number("t", waited) for x in turned)]
        # A step's states before are those after the one that comes next, backwards.
        lines += [
            kept[k].number_of_next(back.name(inputs + k), of_kept, waited)
            for k in states
            if inputs + k in used
        ]
        after = [(x, k) for x, k in known.items() if x in used]
        lines += [kept[k].number(of_kept, waited) for k in sorted({k for _, k in after})]
        lines += [f"{back.name(x)} = state{k}" for x, k in after]
        lines += back.step(used - set(known))
        lines += [store(f"to_sequence_at{i}", "at", f"one * {back.name(x)}") for i, x in outputs]
        lines += [f"sum{j} += {back.name(x)}" for j, x in enumerate(sums)]
        lines += [*next_states(back, later), *joined(x.later("t", waited) for x in turned)]
        return lines + joined(x.later(of_kept, waited) for x in kept)

    turning = through("count" if chunked else "steps", distance, step)
    if chunked:
        loads = joined(x.first("start + count - 1") for x in turned)
        loads += joined(x.first("count - 1") for x in kept)
        body += _chunks(forth, [*loads, *turning])
    else:
        body += [
            load(f"first{k}", f"first_at{k}", "place") if given_first else f"first{k} = one * 0.0"
            for k in states
        ]
        body += [*joined(x.first("steps - 1") for x in (*turned, *kept)), *turning]
    firsts = [k for k in states if asked.firsts[k]]
    body += [store(f"to_first_at{k}", "place", back.name(later + k)) for k in firsts]
    body += [store(f"sum_at{j}", "place", f"sum{j}") for j in range(len(sums))]
    arguments += [f"sequence_at{i}" for i in range(inputs)]
    arguments += [f"first_at{k}" for k in states if given_first]
    arguments += [f"saved_at{k}" if chunked else f"state_at{k}" for k in states]
    arguments += [f"scratch_at{k}" for k in states if chunked]
    given_grads = [j for j, is_given in enumerate(asked.grads) if is_given]
    arguments += [x for j in given_grads for x in (f"grad_at{j}", f"stride{j}")]
    arguments += [f"later_at{k}" for k in states if asked.later[k]]
    arguments += [f"to_sequence_at{i}" for i, _ in outputs]
    arguments += [f"to_first_at{k}" for k in firsts]
    arguments += [f"sum_at{j}" for j in range(len(sums))]
    return kernel_source("backward", arguments, body)


def next_states_of(program: Program, adjoint: Program) -> dict[int, int]:
    """The values of an adjoint that are states after the step, and which.

    Forward has kept them, so that they need not be computed again, from a current that would have
    to be read.
    """
    numbers: dict[tuple[object, ...], int] = {}
    first, second = _numbered(program, numbers), _numbered(adjoint, numbers)
    states = {first[x]: k for k, x in enumerate(program.next) if x >= program.inputs}
    values = range(adjoint.inputs, len(second))
    return {x: states[second[x]] for x in values if second[x] in states}


def _numbered(program: Program, numbers: dict[tuple[object, ...], int]) -> list[int]:
    """A number for each value of a program, the same for what is computed alike."""
    names = (*program.sequences, *program.states, *program.constants)
    found = [numbers.setdefault((x,), len(numbers)) for x in names]
    found += [numbers.setdefault((0, x.hex()), len(numbers)) for x in program.immediates]
    for op, operands in program.code:
        same = (op, *(found[x] for x in operands))
        found.append(numbers.setdefault(same, len(numbers)))
    return found


def _chunks(forth: Text, turning: list[str]) -> list[str]:
    """Chunks from the last to the first: their states are computed again, then gradients."""
    program = forth.program
    inputs, states = len(program.sequences), range(len(program.states))
    names = [forth.name(inputs + k) for k in states]
    used = forth.used(program.next)
    distance = ahead(len([x for x in used if x >= program.inputs]))
    given = [
        Ahead(forth.name(i), f"sequence_at{i}", distance, "+", "< start + count")
        for i in range(inputs)
        if i in used
    ]

    def again(waited: int | None) -> list[str]:
        lines = [x.number("(start + j)", waited) for x in given]
        lines += [*forth.step(used), *next_states(forth, inputs)]
        lines += [store(f"scratch_at{k}", "j * size + place", x) for k, x in enumerate(names)]
        return lines + joined(x.later("(start + j)", waited) for x in given)

    chunk = ["start = ((steps + every - 1) // every - 1 - c) * every"]
    chunk += ["count = tl.minimum(every, steps - start)"]
    saved = "(start // every) * size + place"
    chunk += [load(f"first{k}", f"saved_at{k}", saved) for k in states]
    chunk += [f"{name} = one * first{k}" for k, name in enumerate(names)]
    chunk += [*joined(x.first("start") for x in given), *through("count", distance, again)]
    chunk += ["tl.debug_barrier()", *turning, "tl.debug_barrier()"]
    loop = ["for c in range((steps + every - 1) // every):", *indented(chunk)]
    return [*forth.before(used), *loop]
