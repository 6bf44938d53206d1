"""How a layer of given sizes runs as Triton kernels: all that its numbers do not change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Size, Tensor

from .layer import Call
from .triton_backward import Kept
from .triton_constants import Constant
from .triton_kernel import forward_kernel, grid
from .triton_source import Wanted
from .triton_text import ahead

ALL_SAVED = 64
"""Up to how many steps forward keeps all states for backward, if it does not return them."""

Tensors = Sequence[Tensor]


class Given(NamedTuple):
    """What a plan depends on: a call, and of its tensors all but their numbers."""

    call: Call
    steps: int
    step: Size
    """The shape of one step."""
    asks: tuple[bool, ...]
    """Of which tensors autograd records a gradient."""
    sizes: tuple[int, ...]
    """How many numbers each constant has."""
    at_rest: bool
    """Whether all states start at 0, and are no tensors of the call."""
    carried: bool
    """Whether the states after the last step are recorded."""


class Plan:
    """How those calls run that are alike in what is given.

    The tensors of a call are contiguous: sequences, initial states if not at rest, constants.
    """

    def __init__(self, given: Given) -> None:
        self.given = given
        call, program = given.call, given.call.captured.forward
        self.sequences, self.states = len(program.sequences), len(program.states)
        self.first = self.sequences + self.states * (not given.at_rest)
        self.shown = [i for i, asks in enumerate(given.asks) if asks]
        records = bool(self.shown)
        own = {name for name, _ in call.captured.computed}
        pairs = zip(given.sizes, given.asks[self.first :], program.constants, strict=True)
        self.constants = tuple(
            Constant(size == 1, records and not (asks or name in own)) for size, asks, name in pairs
        )
        self.periods = not all(x.alone for x in self.constants)
        self.together = self.constants.count(Constant(alone=True, copied=True))
        """How many constants are in one tensor in backward."""
        self.held = [i for i, x in enumerate(self.constants) if not (x.alone and x.copied)]
        """Which have a tensor of their own there."""
        self.copied = [i for i in self.held if self.constants[i].copied]
        self.behind = self.first + len(self.held) + (self.together > 0)
        self.shape = tuple(given.step)
        self.strides = torch.empty(given.step, device="meta").stride()
        long = given.steps > ALL_SAVED and not call.states
        self.kept = Kept.CHUNKS if long else Kept.HISTORY
        distance = ahead(len(program.code))
        self.every = -(-math.isqrt(given.steps) // distance) * distance if long else 1
        self.history = call.states or (records and not long)
        self.chunks = -(-given.steps // self.every) if records and long else 0
        rows, neurons, self.words = 1, given.step.numel(), None
        if call.packed:
            samples = given.step[:1] if len(given.step) > 1 else ()
            rows = math.prod(samples)
            neurons //= rows
            self.words = Size((given.steps, *samples, -(-neurons // 64)))
        self.grid = grid(rows, neurons)
        self.sizes = given.steps, neurons, self.every
        self.kernel = forward_kernel(
            program,
            Wanted(
                self.constants,
                given.at_rest,
                packed=call.packed,
                history=self.history,
                saved=self.chunks > 0,
            ),
        )

    def forward(self, tensors: Tensors, last: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Runs it.

        Args:
            tensors: Those of the call.
            last: Gets the states after the last step.

        Returns:
            Spikes and the states of all steps if wanted; and what backward wants to be saved.
        """
        current, states = tensors[0], range(self.states)
        given, constants = tensors[: self.first], tensors[self.first :]
        copied = {i: torch.empty_like(constants[i]) for i in self.copied}
        held = [copied.get(i, constants[i]) for i in self.held]
        copies = [*copied.values()]
        if self.together:
            together = current.new_empty(self.together)
            copies.append(together)
            held.append(together)
        if self.words is None:
            spikes = torch.empty_like(current)
        else:
            spikes = current.new_empty(self.words, dtype=torch.int64)
        # The quickest way to memory, of several that differ much.
        last += [current.new_empty_strided(self.shape, self.strides) for _ in states]
        history = [torch.empty_like(current) for _ in states] if self.history else []
        if self.chunks:
            kept = [current.new_empty((self.chunks, *self.shape)) for _ in states]
        else:
            kept = history
        numbers = with_periods(constants, self.constants) if self.periods else constants
        outputs = (spikes, *last, *kept) if self.chunks or self.history else (spikes, *last)
        self.kernel(
            current.get_device(), self.grid, (*numbers, *copies, *given, *outputs, *self.sizes)
        )
        results = [spikes, *history] if self.given.call.states else [spikes]
        return results, [*given, *held, *kept]

    def tensors(self, saved: Tensors) -> list[Tensor]:
        """Sequences, initial states and constants, of what was saved."""
        given = [*saved[: self.first]]
        if self.given.at_rest:
            given += [given[0].new_zeros(self.given.step) for _ in range(self.states)]
        held = iter(saved[self.first : self.behind])
        copies = iter(saved[self.behind - 1].unbind() if self.together else ())
        return given + [next(copies if x.alone and x.copied else held) for x in self.constants]


def with_periods(tensors: Tensors, constants: Sequence[Constant]) -> list[Tensor | int]:
    """Constants as arguments of a kernel: those that repeat are followed by their period."""
    pairs = zip(tensors, constants, strict=False)
    both = [y for x, constant in pairs for y in ((x,) if constant.alone else (x, x.numel()))]
    return [*both, *tensors[len(constants) :]]
