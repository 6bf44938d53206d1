"""Running a neuron as a program: where it has one, and a back end takes its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bitspike import program
from bitspike.ops import route
from bitspike.program import triton_layer
from bitspike.program.tensors import lent

Results = tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]
"""Spikes, the states of all steps if they are wanted, and those after the last."""


def run_program(
    neuron: Any, current: Tensor, initial: Sequence[Tensor], sequence: bool, states: bool
) -> Results | None:
    """A whole sequence in one call, or None if its steps must run one by one.

    On a GPU it is one Triton kernel. The arguments are those of `run_reference`, and so are the
    results.
    """
    if not sequence or not triton_layer.takes(current):
        return None
    captured = _program_of(neuron, current, initial)
    if captured is None:
        return None
    sequences = [current.float(), *captured.drawn(current)]
    constants = captured.constants(neuron)
    call = triton_layer.Call(captured, sequence, states=states)

    def specification(*tensors: Tensor) -> tuple[Tensor, ...]:
        if captured.draws:
            raise RuntimeError("a gradient of gradients would draw other random numbers")
        (x, *_), before, numbers = call.split(tensors)
        pairs = zip(captured.forward.constants, numbers, strict=True)
        own = {name: x for name, x in pairs if name not in dict(captured.computed)}
        with lent(neuron, own):
            spikes, all_steps, last = neuron._run_reference(x, before, sequence, states)
        return (spikes, *all_steps, *last)

    tensors = [*sequences, *initial, *(x.float() for x in constants)]
    spikes, *others = triton_layer.run_layer(call, specification, tensors)
    count = len(initial)
    return spikes.to(current.dtype), tuple(others[:-count]), tuple(others[-count:])


def _program_of(neuron: Any, current: Tensor, initial: Sequence[Tensor]) -> program.Captured | None:
    """The program of a neuron, if it fits its tensors."""
    if route.is_observed() or not current.numel():
        return None
    held = (*neuron.parameters(), *neuron.buffers())
    floating = [x for x in (current, *initial, *held) if x.is_floating_point()]
    if not all(x.dtype in route.NATIVE_DTYPES for x in floating):
        return None
    if any(x.device != current.device for x in (*initial, *held)):
        return None
    gradient = torch.is_grad_enabled() and any(x.requires_grad for x in floating)
    rank = current.dim() - 1
    if program.refusal(neuron, rank=rank, gradient=gradient) is not None:
        return None
    return program.capture(neuron, rank=rank, gradient=gradient)
