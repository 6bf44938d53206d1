"""The way back through a stack: some samples at a time, from its last step to its first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from bitspike.ops import stack as linear
from bitspike.spikes.upstream import plain_gradient

from ._forward import Stack, block_of, joined, of_states, of_steps
from ._steps import Upstream


def gradients(
    stack: Stack,
    words: Sequence[Tensor],
    values: Sequence[Any],
    need: Sequence[bool],
    grads: Sequence[Tensor | None],
) -> list[Tensor | None]:
    """The gradients of spikes and values: in one native call if all steps are linear layers.

    Args:
        stack: What ran.
        words: What entered each step.
        values: What the steps read beside spikes.
        need: Which of spikes and values need gradients.
        grads: Of the spikes and of the last states.
    """
    plain = [plain_gradient(grad) for grad in grads]
    found = _linear(stack, words, values, need, plain)
    return Backward(stack, words, values, need).gradients(plain) if found is None else found


def _linear(
    stack: Stack,
    words: Sequence[Tensor],
    values: Sequence[Any],
    need: Sequence[bool],
    grads: Sequence[Tensor | None],
) -> list[Tensor | None] | None:
    """They by one native call, or None where steps are of other kinds or learn their constants."""
    needs = [list(own) for own in of_steps(stack, need[1:])]
    if not any(need):
        return None
    # No gradient goes on beyond the first step that wants some.
    first = 0 if need[0] else [any(own) for own in needs].index(True)
    given = list(of_steps(stack, values))
    layers, arriving = [], []
    for i, last in list(enumerate(of_states(stack, grads[1:])))[first:]:
        layer = stack.steps[i].linear(given[i])
        if layer is None:
            return None
        to_weight, to_bias, *others = needs[i]
        if any(others[: len(layer.constants)]):
            return None
        wanted = to_weight, to_bias, *others[len(layer.constants) :]
        layers.append(layer)
        arriving.append(linear.Arriving(words[i].contiguous(), last, wanted))
    # Threads have blocks of their own.
    size = stack.at_a_time(len(words[0]), blocks=2)
    to_spikes, sent = linear.backward(
        layers, arriving, grads[0], need_spikes=need[0], at_a_time=size
    )
    found: list[Tensor | None] = [to_spikes]
    for step in stack.steps[:first]:
        found += [None] * step.values
    for layer, of_layer in zip(layers, sent, strict=True):
        constants = [None] * len(layer.constants)
        found += [of_layer.weight, of_layer.bias, *constants, *of_layer.initial]
    return found


class Backward:
    """The gradients of a stack, as far as its samples have been taken."""

    def __init__(
        self, stack: Stack, words: Sequence[Tensor], values: Sequence[Any], need: Sequence[bool]
    ) -> None:
        """Takes the words that enter each step, and which of spikes and values need gradients."""
        self.stack, self.words = stack, words
        self.values = list(of_steps(stack, values))
        self.needs: list[list[bool]] = []
        reached = need[0]
        for own in of_steps(stack, need[1:]):
            self.needs.append([reached, *own])
            reached = reached or any(own)
        self.spikes: list[Tensor | None] = []
        """Of the spikes that enter, block by block."""
        self.shared: list[list[Tensor | None]] = [
            [None] * (step.values - step.states) for step in stack.steps
        ]
        """Of what all samples read, summed so far."""
        self.initial: list[list[list[Tensor | None]]] = [
            [[] for _ in range(step.states)] for step in stack.steps
        ]
        """Of initial states, block by block."""

    def gradients(self, grads: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The gradients of spikes and values, for those of spikes and last states."""
        for samples in self.stack.blocks(*self.words[0].shape[:2]):
            self._add(samples, grads)
        found: list[Tensor | None] = [joined(self.spikes, 1)]
        for shared, initial in zip(self.shared, self.initial, strict=True):
            found += [*shared, *(joined(parts, 0) for parts in initial)]
        return found

    def _add(self, samples: slice, grads: Sequence[Tensor | None]) -> None:
        """Adds the gradients of some samples."""
        upstream = None if grads[0] is None else grads[0][:, samples]
        share = 1.0
        last = list(of_states(self.stack, grads[1:]))
        for i in reversed(range(len(self.stack.steps))):
            step, need = self.stack.steps[i], self.needs[i]
            own = [None if x is None else x[samples] for x in last[i]]
            if any(need) and not (upstream is None and own.count(None) == len(own)):
                words = self.words[i][:, samples].contiguous()
                values = block_of(step, self.values[i], samples)
                arriving = Upstream(upstream, own, share)
                upstream, to_values, share = step.backward(words, values, arriving, need)
            else:
                upstream, to_values, share = None, [None] * step.values, 1.0
            self._sum(i, to_values)
        self.spikes.append(upstream)

    def _sum(self, i: int, to_values: Sequence[Tensor | None]) -> None:
        shared = self.shared[i]
        for k, grad in enumerate(to_values):
            if k >= len(shared):
                self.initial[i][k - len(shared)].append(grad)
            elif grad is not None:
                sum_ = shared[k]
                shared[k] = grad if sum_ is None else sum_.add_(grad)
