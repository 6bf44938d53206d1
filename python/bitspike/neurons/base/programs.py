"""Running a neuron as a program: where it has one, and a back end takes its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from bitspike.ops import route
from bitspike.program import native_layer, triton_layer
from bitspike.program.capture import Captured, look_up
from bitspike.program.layer import Call
from bitspike.program.tensors import learned_and_fixed

from .constants import expect_broadcast, spikes_are_bits

Results = tuple[Tensor, tuple[Tensor, ...], tuple[Tensor, ...]]
"""Spikes, the states of all steps if they are wanted, and those after the last."""


def run_program(
    neuron: Any, current: Tensor, initial: Sequence[Tensor], sequence: bool, states: bool
) -> Results | None:
    """A call as a program, or None if its steps must run one by one in torch.

    On the CPU it runs in the native module, on a GPU as one Triton kernel for a whole sequence. The
    arguments are those of `run_reference`, and so are the results; spikes are packed as those of
    kernels are.
    """
    back_end = _back_end(current, sequence)
    captured = None if back_end is None else program_of(neuron, current, initial, sequence)
    if back_end is None or captured is None:
        return None
    constants = captured.constants(neuron, current.device)
    expect_broadcast(captured.forward.constants, constants, initial[0].shape)
    if not all(fits(y, current) for y in constants):
        return None
    drawn = captured.drawn(current) if sequence else [x[0] for x in captured.drawn(current[None])]
    packed = (
        sequence and back_end is native_layer and captured.fires_bits and spikes_are_bits(neuron)
    )
    call = Call(captured, sequence, packed, states)
    tensors = [current, *drawn, *initial, *constants]
    spikes, *others = back_end.run(neuron, call, floats(tensors))
    count = len(initial)
    if current.dtype is not torch.float32:
        spikes = spikes.to(current.dtype)
    return spikes, tuple(others[:-count]), tuple(others[-count:])


def _back_end(current: Tensor, sequence: bool) -> Any:
    """What runs programs where this tensor is, or None."""
    if native_layer.takes(current):
        return native_layer
    return triton_layer if sequence and triton_layer.takes(current) else None


def program_of(
    neuron: Any, current: Tensor, initial: Sequence[Tensor], sequence: bool
) -> Captured | None:
    """The program of a neuron, if it fits its tensors."""
    if route.is_observed() or not current.numel():
        return None
    tensors = (current, *initial, *learned_and_fixed(neuron))
    if not all(fits(x, current) for x in tensors):
        return None
    gradient = torch.is_grad_enabled() and any(x.requires_grad for x in tensors)
    rank = current.dim() - sequence
    found = look_up(neuron, rank, gradient)
    return None if isinstance(found, str) else found


def fits(x: Tensor, current: Tensor) -> bool:
    """Whether a program may take a tensor beside this current."""
    is_float = x.dtype in route.NATIVE_DTYPES or not x.is_floating_point()
    return is_float and x.device == current.device and x.layout is torch.strided


def floats(tensors: list[Tensor]) -> list[Tensor]:
    """The same tensors in float32, without a call for those that are."""
    return [x if x.dtype is torch.float32 else x.float() for x in tensors]
