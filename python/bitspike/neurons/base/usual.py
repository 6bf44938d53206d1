"""The questions that a call of a neuron asks, in their shortest form.

What run.py asks of any call takes longer than the kernel of a small layer. Whatever gives an
unusual answer here runs as run.py has it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike.ops import route
from bitspike.ops.call import Constant
from bitspike.state import broadcasts

from .constants import firing_refusal
from .run import Run


class Taken(NamedTuple):
    """A call that was usual, and ran."""

    initial: list[Tensor]
    """The states before it."""
    run: Run


def is_usual(x: Any) -> bool:
    """Whether this is dense float32 that autograd may save."""
    return (
        type(x) is Tensor
        and x.dtype is torch.float32
        and x.layout is torch.strided
        and not x.is_nested
        and not x.is_inference()
    )


def is_usual_on_cpu(x: Any) -> bool:
    """Whether it is so, and a kernel may read it."""
    return is_usual(x) and x.is_cpu


def _fires_as_usual(neuron: Any) -> bool:
    """Whether none of a neuron's switches asks for torch."""
    own = neuron.__dict__
    return (
        own["inhibition"] is False
        and own["state_quant"] is False
        and own["detach_reset"] is True
        and own["fire_at"] == "gt"
        and own["order"] == "integrate_first"
        and own["spike_range"] == (0, 1)
        and firing_refusal(neuron) is None
    )


def usual_constants(neuron: Any, current: Any, sequence: bool) -> list[Constant] | None:
    """The constants of a native call whose spikes count 1, as numbers where nothing is learned.

    None if anything about the neuron or the current is unusual, states aside.

    Args:
        neuron: One whose class runs natively in the way that is common to most.
        current: The input of the call.
        sequence: Whether its first axis is time.
    """
    # First, for compiled code may not ask whether a tensor is of inference mode.
    if route.is_observed() or not (is_usual_on_cpu(current) and _fires_as_usual(neuron)):
        return None
    if sequence and current.dim() == 0:
        return None
    step = current.shape[1:] if sequence else current.shape
    records = torch.is_grad_enabled()
    *tensors, factor = neuron._parts()
    constants: list[Constant] = []
    for x in tensors:
        if x.dtype is not torch.float32 or not x.is_cpu:
            return None
        if x.numel() == 1:
            constants.append(x if records and x.requires_grad else x.item())
        elif broadcasts(x.shape, step):
            constants.append(x)
        else:
            return None
    if factor.requires_grad or factor.numel() != 1 or not factor.is_cpu or factor.item() != 1:
        return None
    constants.append(1.0)
    return constants
