"""A layer that runs a program, as autograd records it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from bitspike.derivable import gradients
from bitspike.ops.route import gradient_needs_torch

from .capture import Captured
from .tensors import lent


class Call(NamedTuple):
    """A layer, but for its tensors."""

    captured: Captured
    sequence: bool
    """Whether its sequences have an axis of time."""
    packed: bool = False
    """Whether spikes are returned as words, 64 neurons of a sample each."""
    states: bool = False
    """Whether the states of all steps are returned."""

    def split(self, tensors: Sequence[Any]) -> tuple[list[Any], list[Any], list[Any]]:
        """Sequences, initial states and constants, of all tensors."""
        program = self.captured.forward
        first, second = len(program.sequences), len(program.sequences + program.states)
        return list(tensors[:first]), list(tensors[first:second]), list(tensors[second:])

    def in_torch(self, neuron: Any, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The same in torch, for gradients of gradients.

        Raises:
            RuntimeError: if the neuron draws random numbers.
        """
        captured = self.captured
        if captured.draws:
            raise RuntimeError("a gradient of gradients would draw other random numbers")
        (x, *_), before, numbers = self.split(tensors)
        own = dict(zip(captured.forward.constants, numbers, strict=True))
        for name, _ in captured.computed:
            own.pop(name, None)
        with lent(neuron, own):
            spikes, all_steps, last = neuron._run_reference(x, before, self.sequence, self.states)
        return (spikes, *all_steps, *last)


class Run(Protocol):
    """A call with its tensors, as a back end runs it."""

    def __init__(self, call: Call, tensors: Sequence[Tensor]) -> None: ...

    def forward(self, saved: bool) -> tuple[list[Tensor], list[Tensor]]:
        """What a call returns, and what backward wants of it beside the tensors, if ``saved``."""
        ...

    def backward(
        self, saved: Sequence[Tensor], grads: Sequence[Tensor | None], need: Sequence[bool]
    ) -> Sequence[Tensor | None]:
        """Gradients of the tensors."""
        ...


def run_layer(
    back_end: type[Run],
    call: Call,
    specification: Callable[..., Sequence[Tensor]],
    tensors: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    """Spikes, then the states of all steps if wanted, then the states after the last.

    Args:
        back_end: What runs it.
        call: What runs.
        specification: The same of these tensors in torch, for gradients of gradients.
        tensors: Sequences, initial states and constants, float32 on one device, not empty.
    """
    if not (torch.is_grad_enabled() and any(x.requires_grad for x in tensors)):
        return tuple(back_end(call, tensors).forward(saved=False)[0])
    results: tuple[Tensor, ...] = Layer.apply(back_end, call, specification, *tensors)
    return results


class Layer(torch.autograd.Function):
    """A layer as autograd records it: what `run_layer` returns."""

    @staticmethod
    def forward(
        ctx: Any, back_end: type[Run], call: Call, specification: Any, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        """Runs it, and saves what backward wants."""
        ctx.back_end, ctx.call, ctx.specification = back_end, call, specification
        ctx.set_materialize_grads(False)
        results, saved = back_end(call, tensors).forward(saved=True)
        ctx.save_for_backward(*tensors, *saved)
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        """Gradients of the tensors."""
        need = ctx.needs_input_grad[3:]
        values = ctx.saved_tensors  # once: a checkpoint computes them again each time
        tensors, saved = values[: len(need)], values[len(need) :]
        if gradient_needs_torch(grads):
            return (None, None, None, *gradients(ctx.specification, tensors, need, grads))
        found = ctx.back_end(ctx.call, tensors).backward(saved, grads, need)
        return (None, None, None, *found)
