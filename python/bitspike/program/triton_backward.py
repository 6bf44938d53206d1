"""Gradients of programs as Triton source: from the last step of a sequence to the first."""

from __future__ import annotations

import enum
from typing import NamedTuple

from bitspike.ops.straight_line import Program

from .triton_constants import Constant, in_backward
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
    forth, back = Text(program, "v"), Text(adjoint, "g")
    inputs, states = len(program.sequences), range(len(program.states))
    sums = [x for x, wanted in zip(adjoint.sums, asked.sums, strict=True) if wanted]
    outputs = [
        (i, x)
        for i, (x, wanted) in enumerate(zip(adjoint.outputs, asked.outputs, strict=True))
        if wanted
    ]
    used = back.used((*adjoint.next, *sums, *(x for _, x in outputs)))
    after = forth.used(program.next)
    chunked = asked.kept is Kept.CHUNKS
    first_given = not (chunked or asked.at_rest)
    distance = ahead(adjoint)
    arguments, body = in_backward(asked.constants)
    body += [*back.before(used), *(forth.before(after) if chunked else ())]
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
    turned = [
        Ahead(back.name(x), pointer, distance, "-", ">= start" if chunked else ">= 0", "0.0", stride)
        for x, (pointer, stride) in sorted(given.items())
        if x in used
    ]
    held, other = ("scratch_at", "0.0") if chunked else ("state_at", "first{}")
    before = [
        Ahead(back.name(inputs + k), f"{held}{k}", distance, "-", ">= 0", other.format(k))
        for k in states
        if inputs + k in used
    ]

    def step(waited: int | None) -> list[str]:
        lines = ["k = count - 1 - j", "t = start + k"] if chunked else ["t = steps - 1 - j"]
        lines += ["at = t * size + place", *joined(x.step("t", waited) for x in turned)]
        lines += joined(x.step("k" if chunked else "(t - 1)", waited) for x in before)
        lines += back.step(used)
        lines += [store(f"to_sequence_at{i}", "at", f"one * {back.name(x)}") for i, x in outputs]
        lines += [f"sum{j} += {back.name(x)}" for j, x in enumerate(sums)]
        return lines + next_states(back, later)

    if chunked:
        loads = joined(x.first("start + count - 1") for x in turned)
        loads += joined(x.first("count - 1") for x in before)
        body += _chunks(forth, after, loads, through("count", distance, step))
    else:
        body += [
            load(f"first{k}", f"first_at{k}", "place") if first_given else f"first{k} = one * 0.0"
            for k in states
        ]
        body += joined(x.first("steps - 1") for x in turned)
        body += joined(x.first("steps - 2") for x in before)
        body += through("steps", distance, step)
    firsts = [k for k in states if asked.firsts[k]]
    body += [store(f"to_first_at{k}", "place", back.name(later + k)) for k in firsts]
    body += [store(f"sum_at{j}", "place", f"sum{j}") for j in range(len(sums))]
    arguments += [f"sequence_at{i}" for i in range(inputs)]
    arguments += [f"first_at{k}" for k in states if first_given]
    arguments += [f"saved_at{k}" if chunked else f"state_at{k}" for k in states]
    arguments += [f"scratch_at{k}" for k in states if chunked]
    given_grads = [j for j, is_given in enumerate(asked.grads) if is_given]
    arguments += [x for j in given_grads for x in (f"grad_at{j}", f"stride{j}")]
    arguments += [f"later_at{k}" for k in states if asked.later[k]]
    arguments += [f"to_sequence_at{i}" for i, _ in outputs]
    arguments += [f"to_first_at{k}" for k in firsts]
    arguments += [f"sum_at{j}" for j in range(len(sums))]
    return kernel_source("backward", arguments, body)


def _chunks(forth: Text, after: set[int], loads: list[str], turned: list[str]) -> list[str]:
    """Chunks from the last to the first: their states are computed again, then gradients."""
    program = forth.program
    inputs, states = len(program.sequences), range(len(program.states))
    names = [forth.name(inputs + k) for k in states]
    distance = ahead(program)
    given = [
        Ahead(forth.name(i), f"sequence_at{i}", distance, "+", "< start + count")
        for i in range(inputs)
        if i in after
    ]

    def again(waited: int | None) -> list[str]:
        lines = [store(f"scratch_at{k}", "j * size + place", x) for k, x in enumerate(names)]
        lines += [*joined(x.step("(start + j)", waited) for x in given), *forth.step(after)]
        return lines + next_states(forth, inputs)

    chunk = ["start = ((steps + every - 1) // every - 1 - c) * every"]
    chunk += ["count = tl.minimum(every, steps - start)"]
    saved = "(start // every) * size + place"
    chunk += [load(name, f"saved_at{k}", saved) for k, name in enumerate(names)]
    chunk += [*joined(x.first("start") for x in given), *through("count", distance, again)]
    chunk += ["tl.debug_barrier()", *loads, *turned, "tl.debug_barrier()"]
    return ["for c in range((steps + every - 1) // every):", *indented(chunk)]
