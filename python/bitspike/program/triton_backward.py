"""Gradients of programs as Triton source: from the last step of a sequence to the first."""

from __future__ import annotations

import enum
from typing import NamedTuple

from bitspike.ops.straight_line import Program

from .triton_text import (
    BACKWARDS,
    Ahead,
    Text,
    constants,
    indented,
    joined,
    kernel_source,
    load,
    next_states,
    store,
)


class Kept(enum.Enum):
    """Which states forward has kept for backward."""

    STEPS = enum.auto()
    """Those before every step."""
    HISTORY = enum.auto()
    """Those after every step, which it returns anyway; the first ones are given."""
    CHUNKS = enum.auto()
    """Those before every chunk of steps, from which the others are computed again."""


class Asked(NamedTuple):
    """What a kernel for gradients is given, and what it gives: one kernel for each."""

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
    arguments, body = constants(program)
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
    given = {i: f"sequence_at{i}" for i in range(inputs)}
    for j, is_given in enumerate(asked.grads):
        if is_given:
            given[of_grads + j] = f"grad_at{j}"
        else:
            body.append(f"{back.name(of_grads + j)} = one * 0.0")
    turned = [Ahead(back.name(x), given[x], *BACKWARDS) for x in sorted(used & set(given))]
    body += joined(x.first("steps - 1") for x in turned)
    step = ["at = t * size + place", *joined(x.step() for x in turned)]
    names = [back.name(inputs + k) for k in states]
    before = [
        Ahead(name, f"scratch_at{k}" if chunked else f"saved_at{k}", *BACKWARDS)
        for k, name in enumerate(names)
    ]
    if asked.kept is Kept.HISTORY:
        body += [load(f"first{k}", f"first_at{k}", "place") for k in states]
        body += joined(x.first("steps - 2") for x in before)
        step += joined(x.step("t - 1") for x in before)
        step += [
            f"{name} = tl.where(zero + t > 0, {name}, first{k})" for k, name in enumerate(names)
        ]
    else:
        step += joined(x.step("k" if chunked else "t") for x in before)
    step += back.step(used)
    step += [store(f"to_sequence_at{i}", "at", f"one * {back.name(x)}") for i, x in outputs]
    step += [f"sum{j} += {back.name(x)}" for j, x in enumerate(sums)]
    step += next_states(back, later)
    if chunked:
        body += _chunks(forth, after, joined(x.first("count - 1") for x in before), step)
    else:
        if asked.kept is Kept.STEPS:
            body += joined(x.first("steps - 1") for x in before)
        body += ["for j in range(steps):", *indented(["t = steps - 1 - j", *step])]
    firsts = [k for k in states if asked.firsts[k]]
    body += [store(f"to_first_at{k}", "place", back.name(later + k)) for k in firsts]
    body += [store(f"sum_at{j}", "place", f"sum{j}") for j in range(len(sums))]
    arguments += [f"sequence_at{i}" for i in range(inputs)]
    arguments += [f"first_at{k}" for k in states if asked.kept is Kept.HISTORY]
    arguments += [f"saved_at{k}" for k in states]
    arguments += [f"scratch_at{k}" for k in states if chunked]
    arguments += [f"grad_at{j}" for j, is_given in enumerate(asked.grads) if is_given]
    arguments += [f"later_at{k}" for k in states if asked.later[k]]
    arguments += [f"to_sequence_at{i}" for i, _ in outputs]
    arguments += [f"to_first_at{k}" for k in firsts]
    arguments += [f"sum_at{j}" for j in range(len(sums))]
    return kernel_source("backward", arguments, body)


def _chunks(forth: Text, after: set[int], before: list[str], step: list[str]) -> list[str]:
    """Chunks from the last to the first: their states are computed again, then gradients."""
    program = forth.program
    inputs, states = len(program.sequences), range(len(program.states))
    chunk = ["number = (steps + every - 1) // every - 1 - c", "start = number * every"]
    chunk += ["count = tl.minimum(every, steps - start)"]
    chunk += [load(forth.name(inputs + k), f"saved_at{k}", "number * size + place") for k in states]
    again = [store(f"scratch_at{k}", "k * size + place", forth.name(inputs + k)) for k in states]
    given = [
        Ahead(forth.name(i), f"sequence_at{i}", "+", "< start + count")
        for i in range(inputs)
        if i in after
    ]
    chunk += joined(x.first("start") for x in given)
    again += [*joined(x.step("start + k") for x in given), *forth.step(after)]
    again += next_states(forth, inputs)
    chunk += ["for k in range(count):", *indented(again)]
    chunk += ["tl.debug_barrier()", *before]
    turned = ["k = count - 1 - j", "t = start + k", *step]
    chunk += ["for j in range(count):", *indented(turned)]
    chunk.append("tl.debug_barrier()")
    return ["for c in range((steps + every - 1) // every):", *indented(chunk)]
