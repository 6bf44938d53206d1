"""Programs as Triton source: a whole sequence in one kernel."""

from __future__ import annotations

from typing import NamedTuple

from bitspike.ops.straight_line import Program

from .triton_text import (
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


class Wanted(NamedTuple):
    """What a kernel does beside the program: one kernel for each."""

    packed: bool = False
    """Whether spikes are bits."""
    history: bool = False
    """Whether the states of all steps are written."""
    saved: bool = False
    """Whether the states before every chunk of steps are written, or read."""


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
    text = Text(program, "v")
    spikes = program.spikes
    assert spikes is not None
    used = text.used((spikes, *program.next)) | set(range(program.inputs))
    arguments, loads = constants(program)
    sequences, states = range(len(program.sequences)), range(len(program.states))
    first = len(sequences)
    body = [*loads, *text.before(used)]
    body += [load(text.name(first + k), f"first_at{k}", "place") for k in states]
    given = [Ahead(text.name(i), f"sequence_at{i}") for i in sequences]
    body += joined(x.first("0") for x in given)
    loop = ["at = t * size + place", *joined(x.step() for x in given)]
    if wanted.saved:
        loop.append("if t % every == 0:")
        saved = "(t // every) * size + place"
        loop += indented([store(f"saved_at{k}", saved, text.name(first + k)) for k in states])
    loop += text.step(used)
    if wanted.packed:
        loop += [line.format(spikes) for line in _PACK]
    else:
        loop.append(store("spikes_at", "at", f"one * {text.name(spikes)}"))
    loop += next_states(text, first)
    if wanted.history:
        loop += [store(f"state_at{k}", "at", text.name(first + k)) for k in states]
    body += ["for t in range(steps):", *indented(loop)]
    body += [store(f"last_at{k}", "place", text.name(first + k)) for k in states]
    arguments += [f"sequence_at{i}" for i in sequences]
    arguments += [f"first_at{k}" for k in states]
    arguments += ["spikes_at", *(f"last_at{k}" for k in states)]
    arguments += [f"state_at{k}" for k in states if wanted.history]
    arguments += [f"saved_at{k}" for k in states if wanted.saved]
    return kernel_source("forward", arguments, body)
