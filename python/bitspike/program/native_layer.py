"""Programs in the native module: whole sequences, and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bitspike.ops import program, sequence
from bitspike.ops.call import OutputGradients
from bitspike.spikes.tensor import of_words
from bitspike.spikes.upstream import plain_gradient

from .layer import Call, run_layer


class Run:
    """A call with its tensors, as the native module takes them."""

    def __init__(self, call: Call, tensors: Sequence[Tensor]) -> None:
        """Takes what `run_layer` is given."""
        self.call = call
        self.inputs = program.Inputs(*call.split(tensors))
        forward, adjoint = call.captured.forward, call.captured.adjoint
        self.native = program.Call(
            program.compile(forward),
            call.sequence,
            packed=call.packed,
            states=call.states,
            adjoint=None if adjoint is None else program.compile(adjoint),
        )

    def forward(self, saved: bool) -> tuple[list[Tensor], list[Tensor]]:
        """What a call returns; backward runs it again, and wants nothing more of it."""
        spikes, *others = program.forward(self.native, self.inputs)
        if self.call.packed:
            spikes = of_words(spikes, sequence.features(self.inputs.current.shape))
        return [spikes, *others], []

    def backward(
        self, saved: Sequence[Tensor], grads: Sequence[Tensor | None], need: Sequence[bool]
    ) -> list[Tensor | None]:
        """Gradients of all tensors."""
        sequences, initial, constants = self.call.split(need)
        count = len(initial)
        spikes, *others = map(plain_gradient, grads)
        states: list[Any] = others[:count] if self.call.states else [None] * count
        return program.backward(
            self.native,
            self.inputs,
            OutputGradients(spikes, states, others[-count:]),
            program.Need(sequences, any(initial), constants),
        )


def run(neuron: Any, call: Call, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Spikes, then the states of all steps if wanted, then the states after the last.

    Args:
        neuron: Whose program runs.
        call: What runs.
        tensors: Sequences, initial states and constants, float32 on the CPU, not empty.
    """
    given = _private(call, tensors) if torch.is_grad_enabled() else tensors
    return run_layer(Run, call, partial(call.in_torch, neuron), given)


def _private(call: Call, tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors of a call, copied where others may write to them before backward.

    Torch saves neither the current of a step nor numbers that are not learned.
    """
    (current, *drawn), initial, constants = call.split(tensors)
    own = {name for name, _ in call.captured.computed}
    named = zip(call.captured.forward.constants, constants, strict=True)
    copies = [x if x.requires_grad or name in own else x.clone() for name, x in named]
    return [current if call.sequence else current.clone(), *drawn, *initial, *copies]


def takes(x: Tensor) -> bool:
    """Whether a tensor is where the native module runs."""
    return x.is_cpu and x.layout is torch.strided
