"""Programs as Triton source: a whole sequence in one kernel."""

from __future__ import annotations

from typing import NamedTuple

from bitspike.ops.straight_line import Program

from .triton_constants import Constant, in_forward
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


class Wanted(NamedTuple):
    """What a kernel does beside the program: one kernel for each."""

    constants: tuple[Constant, ...]
    at_rest: bool = False
    """Whether all states start at 0; else they are given."""
    packed: bool = False
    """Whether spikes are bits."""
    history: bool = False
    """Whether the states after every step are written."""
    saved: bool = False
    """Whether the states before every chunk of steps are written."""


_PACK = (
    # Neuron 64·w + k is bit k of word w of its row.
    "bits = tl.reshape((v{0} != 0).to(tl.int64), [BLOCK // 64, 64])",
    "words = tl.sum(bits << tl.arange(0, 64)[None, :].to(tl.int64), 1)",
    "word = tl.program_id(1) * (BLOCK // 64) + tl.arange(0, BLOCK // 64)",
    "width = (neurons + 63) // 64",
    "word_at = (j * tl.num_programs(0).to(tl.int64) + row) * width + word",
    "tl.store(spikes_at + word_at, words, mask=word < width)",
)


def forward_source(program: Program, wanted: Wanted) -> str:
    """The kernel of a program over a sequence."""
    text = Text(program, "v")
    spikes = program.spikes
    assert spikes is not None
    used = text.used((spikes, *program.next)) | set(range(program.inputs))
    arguments, body = in_forward(wanted.constants)
    sequences, states = range(len(program.sequences)), range(len(program.states))
    first = len(sequences)
    names = [text.name(first + k) for k in states]
    body += text.before(used)
    if wanted.at_rest:
        body += [f"{name} = one * 0.0" for name in names]
    else:
        body += [load(name, f"first_at{k}", "place") for k, name in enumerate(names)]
    distance = ahead(len(program.code))
    given = [Ahead(text.name(i), f"sequence_at{i}", distance) for i in sequences]
    body += joined(x.first("0") for x in given)

    def step(waited: int | None) -> list[str]:
        lines = [x.number("j", waited) for x in given]
        if wanted.saved:
            saved = "(j // every) * size + place"
            stores = [store(f"saved_at{k}", saved, name) for k, name in enumerate(names)]
            lines += ["if j % every == 0:", *indented(stores)]
        lines += ["at = j * size + place", *text.step(used)]
        if wanted.packed:
            lines += [line.format(spikes) for line in _PACK]
        else:
            lines.append(store("spikes_at", "at", f"one * {text.name(spikes)}"))
        lines += next_states(text, first)
        if wanted.history:
            lines += [store(f"state_at{k}", "at", name) for k, name in enumerate(names)]
        return lines + joined(x.later("j", waited) for x in given)

    body += through("steps", distance, step)
    body += [store(f"last_at{k}", "place", name) for k, name in enumerate(names)]
    arguments += [f"sequence_at{i}" for i in sequences]
    arguments += [f"first_at{k}" for k in states if not wanted.at_rest]
    arguments += ["spikes_at", *(f"last_at{k}" for k in states)]
    arguments += [f"state_at{k}" for k in states if wanted.history]
    arguments += [f"saved_at{k}" for k in states if wanted.saved]
    return kernel_source("forward", arguments, body)
