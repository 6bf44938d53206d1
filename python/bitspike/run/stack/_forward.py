"""A stack of steps, and its way forward: some samples at a time, through all steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Size, Tensor

from bitspike.ops import stack as linear

from ._steps import Step

_BLOCK = 1 << 19
"""Numbers of the widest currents that are kept at a time: 2 MB, which stay in the caches."""
_SHARED = 2
"""For each row of weights, at least so many rows of spikes share what is read of it at a time."""

_Value = TypeVar("_Value")


class Stack(NamedTuple):
    """Steps one after another, and the form of the spikes that the last one gives."""

    steps: Sequence[Step]
    features: Size
    channels_last: bool

    def at_a_time(self, steps: int, blocks: int = 1) -> int:
        """How many samples run at a time: the same for any number of threads.

        Args:
            steps: Of a sample.
            blocks: So many blocks share the caches.
        """
        widest, inputs = (
            max(sizes) for sizes in zip(*(s.footprint for s in self.steps), strict=True)
        )
        rows = max(_BLOCK // max(widest, 1), _SHARED * inputs)
        return int(max(rows // blocks // max(steps, 1), 1))

    def blocks(self, steps: int, samples: int) -> Iterator[slice]:
        """Which samples run at a time."""
        size = self.at_a_time(steps)
        return (slice(i, i + size) for i in range(0, max(samples, 1), size))


class Trace(NamedTuple):
    """What a stack computes."""

    words: list[Tensor]
    """What enters each step, and what leaves the last."""
    states: list[Tensor]
    """The states of all steps after the last."""


def of_steps(stack: Stack, values: Sequence[_Value]) -> Iterator[list[_Value]]:
    """The values of each step."""
    rest = iter(values)
    return (list(islice(rest, step.values)) for step in stack.steps)


def of_states(stack: Stack, states: Sequence[_Value]) -> Iterator[list[_Value]]:
    """The states of each step."""
    rest = iter(states)
    return (list(islice(rest, step.states)) for step in stack.steps)


def block_of(step: Step, values: Sequence[Any], samples: slice) -> list[Any]:
    """The values of a step for some samples."""
    shared = len(values) - step.states
    return [*values[:shared], *(x[samples] for x in values[shared:])]


def joined(parts: Sequence[Tensor | None], axis: int) -> Tensor | None:
    """The parts of all blocks as one tensor; None if they are none."""
    found = [x for x in parts if x is not None]
    if len(found) <= 1:
        return found[0] if found else None
    return torch.cat(found, axis)


def trace(stack: Stack, words: Tensor, values: Sequence[Any]) -> Trace | None:
    """Runs a stack on words ``[T, B, words]``; None if a weight is not finite."""
    given = list(of_steps(stack, values))
    pairs = zip(stack.steps, given, strict=True)
    layers = [x for x in (step.linear(own) for step, own in pairs) if x is not None]
    if len(layers) == len(stack.steps):
        found = linear.forward(words.contiguous(), layers)
        if found is None:
            return None
        states = [x for fired in found for x in fired.last]
        return Trace([words, *(fired.words for fired in found)], states)
    blocks = []
    for samples in stack.blocks(*words.shape[:2]):
        seen, states = [words[:, samples].contiguous()], []
        for step, own in zip(stack.steps, given, strict=True):
            out, last = step.forward(seen[-1], block_of(step, own, samples))
            seen.append(out)
            states += last
        blocks.append((seen[1:], states))
    parts_of_words = zip(*(of_block for of_block, _ in blocks), strict=True)
    parts_of_states = zip(*(of_block for _, of_block in blocks), strict=True)
    return Trace(
        [words, *(torch.cat(parts, 1) for parts in parts_of_words)],
        [torch.cat(parts) for parts in parts_of_states],
    )
