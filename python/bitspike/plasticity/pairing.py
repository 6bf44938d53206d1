"""Pairs of spikes and traces over time: natively where possible, or as defined here in torch.

At each step, with samples ``b`` in ascending order, ``P = Σ_b (S·g) ⊗ x`` lets weights rise and
``D = Σ_b y ⊗ (s·h)`` lets them fall: spikes ``S`` of outputs meet traces ``x`` of inputs, spikes
``s`` of inputs traces ``y`` of outputs. Gains ``g`` and ``h`` say how much a spike counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Size, Tensor

from bitspike.ops import route
from bitspike.ops import traces as ops
from bitspike.spikes.pack import pack_if_binary
from bitspike.spikes.tensor import SpikeTensor

from .traces import positive

_BLOCK = 1 << 18
"""Numbers of traces that are there at a time: they stay in the caches."""


class Trace(NamedTuple):
    """What a neuron remembers of its spikes: decay, then bump."""

    tau: float
    """Its time constant in steps."""
    nearest: bool = False
    """Whether a spike sets it to 1 instead of adding 1."""
    euler: bool = False
    """Whether it decays by ``x/τ`` instead of exponentially."""

    def after(self, spikes: Tensor, state: Tensor, bumped: bool) -> tuple[Tensor, Tensor]:
        """The trace at every step ``[T, R, N]``, and at the end ``[R, N]``.

        Args:
            spikes: ``[T, R, N]``, bits or numbers.
            state: The trace before them.
            bumped: Whether a spike is in the trace of its own step.
        """
        if isinstance(spikes, SpikeTensor) and is_native(state):
            forgets = self.tau if self.euler else math.exp(-1 / self.tau)
            how = ops.TraceArguments(forgets, self.euler, self.nearest, bumped)
            return ops.filtered(spikes.words, spikes.neurons, how, state)
        return self.defined(spikes, state, bumped)

    def defined(self, spikes: Tensor, state: Tensor, bumped: bool) -> tuple[Tensor, Tensor]:
        """The same in torch."""
        steps = []
        for spike in numbers(spikes, state.dtype):
            decayed = state - state / self.tau if self.euler else state * math.exp(-1 / self.tau)
            state = torch.where(spike != 0, spike, decayed) if self.nearest else decayed + spike
            steps.append(state if bumped else decayed)
        return (torch.stack(steps) if steps else state.new_empty((0, *state.shape))), state


class Side(NamedTuple):
    """The neurons on one side, over some steps; all ``[T, R, N]``."""

    spikes: Tensor
    trace: Tensor
    """What spikes of the other side meet."""
    gain: Tensor | None = None
    """How much a spike counts; None is 1."""

    def between(self, start: int, end: int) -> Side:
        """The same of these steps alone."""
        gain = None if self.gain is None else self.gain[start:end]
        return Side(self.spikes[start:end], self.trace[start:end], gain)

    def arguments(self) -> ops.SideArguments:
        """The same for the native module, which needs bits."""
        assert isinstance(self.spikes, SpikeTensor)
        return ops.SideArguments(self.spikes.neurons, self.spikes.words, self.trace, self.gain)

    def counted(self) -> Tensor:
        """Spikes times gains."""
        spikes = numbers(self.spikes, self.trace.dtype)
        return spikes if self.gain is None else spikes * self.gain


class Pairs(NamedTuple):
    """Both sides over some steps."""

    pre: Side
    post: Side

    def are_native(self) -> bool:
        """Whether the native module takes them."""
        bits = isinstance(self.pre.spikes, SpikeTensor) and isinstance(
            self.post.spikes, SpikeTensor
        )
        return bits and is_native(self.pre.trace)

    def arguments(self) -> ops.PairArguments:
        """The same for the native module."""
        steps, samples = self.pre.trace.shape[:2]
        return ops.PairArguments(steps, samples, self.pre.arguments(), self.post.arguments())

    def steps(self) -> Iterator[Pairs]:
        """The same, step by step."""
        for t in range(len(self.pre.trace)):
            yield self.between(t, t + 1)

    def between(self, start: int, end: int) -> Pairs:
        """The same of these steps alone."""
        return Pairs(self.pre.between(start, end), self.post.between(start, end))

    def sums(self) -> Iterator[tuple[Tensor, Tensor]]:
        """``P`` and ``D`` of every step."""
        for fires, x, y, spike in zip(
            self.post.counted(), self.pre.trace, self.post.trace, self.pre.counted(), strict=True
        ):
            risen = fallen = x.new_zeros((y.shape[1], x.shape[1]))
            for b in range(len(x)):
                risen = risen + torch.outer(fires[b], x[b])
                fallen = fallen + torch.outer(y[b], spike[b])
            yield risen, fallen


def learned(blocks: Iterable[Pairs], rule: ops.LearningArguments, weight: Tensor) -> Tensor:
    """Weights ``[outputs, inputs]`` that change at every step, within bounds."""
    for pairs in blocks:
        if pairs.are_native():
            weight = ops.learned(pairs.arguments(), rule, weight)
        else:
            weight = defined_learned(pairs, rule, weight)
    return weight


def defined_learned(pairs: Pairs, rule: ops.LearningArguments, weight: Tensor) -> Tensor:
    """The same in torch."""
    for risen, fallen in pairs.sums():
        rise = (rule.rise[0] + rule.rise[1] * weight) * risen
        fall = (rule.fall[0] + rule.fall[1] * weight) * fallen
        weight = (weight + rule.rate * (rise - fall)).clamp(*rule.bounds)
    return weight


def summed(
    blocks: Iterable[Pairs], rise: Tensor, fall: Tensor, total: Tensor | None = None
) -> Tensor:
    """``total + Σ_t (rise·P - fall·D)``: by what weights would change that stay as they are."""
    total = torch.zeros_like(rise) if total is None else total
    for pairs in blocks:
        if pairs.are_native():
            total = ops.summed(pairs.arguments(), rise, fall, total)
        else:
            total = defined_summed(pairs, rise, fall, total)
    return total


def defined_summed(pairs: Pairs, rise: Tensor, fall: Tensor, total: Tensor) -> Tensor:
    """The same in torch, added to a total."""
    for risen, fallen in pairs.sums():
        total = total + (rise * risen - fall * fallen)
    return total


def is_native(x: Tensor) -> bool:
    """Whether the native module computes with such numbers, and nothing watches."""
    real = x.dtype in (torch.float32, torch.float64)
    return real and x.is_cpu and not route.is_observed()


def numbers(spikes: Tensor, dtype: torch.dtype) -> Tensor:
    """Spikes as numbers."""
    dense = spikes.dense() if isinstance(spikes, SpikeTensor) else spikes
    return dense.to(dtype)


def as_bits(spikes: Tensor) -> Tensor:
    """A sequence ``[T, R, N]`` as bits, unless it holds other numbers or lies elsewhere."""
    if isinstance(spikes, SpikeTensor):
        spikes = spikes.channels_first()
        plain = not spikes.is_transposed and spikes.rows == 2
        return spikes if plain else as_bits(spikes.dense())
    if not spikes.is_cpu or route.is_observed():
        return spikes
    packable = (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.bool)
    return pack_if_binary(spikes if spikes.dtype in packable else spikes.double())


def pieces(pre: Tensor, post: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Both sides in pieces of time, whose traces stay in the caches."""
    each = pre.shape[1:].numel() + post.shape[1:].numel()
    steps = max(1, _BLOCK // max(each, 1))
    for start in range(0, len(pre), steps):
        yield pre[start : start + steps], post[start : start + steps]


def check_taus(rule: str, **taus: float) -> None:
    """Time constants that a rule is given.

    Raises:
        ValueError: for one that is not positive.
    """
    for name, tau in taus.items():
        positive(tau, f"{rule}: {name}")


def rest(shape: Size | tuple[int, ...], like: Tensor) -> Tensor:
    """Traces before the first spike."""
    return torch.zeros(shape, dtype=like.dtype, device=like.device)
