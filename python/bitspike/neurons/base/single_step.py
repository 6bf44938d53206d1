"""A single step of an ordinary layer, which a program's own loop over time calls most.

The questions that run.py asks take longer than the kernel of a small step. Here they are asked in
their shortest form, once; whatever gives an unusual answer runs as run.py has it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike.ops import route
from bitspike.ops.call import Call, Constant
from bitspike.ops.channels_last import is_channels_last
from bitspike.spikes.dense import DenseSpikes
from bitspike.state import is_alive

from .constants import firing_refusal
from .layer import run_layer
from .run import Run, kind_of


class Taken(NamedTuple):
    """A step that ran here."""

    initial: list[Tensor]
    """The states before it."""
    run: Run


def single_step(neuron: Any, current: Any, given: tuple[Any, ...]) -> Taken | None:
    """One step in the native module, or None if anything about the call is unusual.

    Args:
        neuron: One whose class runs natively in the way that is common to most.
        current: The input of the call.
        given: Its states.
    """
    if route.is_observed() or not (_is_usual(current) and _fires_as_usual(neuron)):
        return None
    records = torch.is_grad_enabled()
    initial: list[Tensor] = []
    foreign: list[bool] = []
    for name, state in zip(neuron.STATES, given, strict=True):
        kept = neuron.__dict__.get(name)
        found = kept if state is None else state
        if not _is_usual(found) or found.shape != current.shape:
            return None
        if state is None and not is_alive(kept):
            return None
        initial.append(found)
        foreign.append(found is not kept)
    *numbers, factor = neuron._parts()
    constants: list[Constant] = []
    for x in numbers:
        if x.numel() != 1 or x.dtype is not torch.float32 or not x.is_cpu:
            return None
        constants.append(x if records and x.requires_grad else x.item())
    if factor.requires_grad or factor.numel() != 1 or not factor.is_cpu or factor.item() != 1:
        return None
    if records:
        # The owner of a state that was not returned by this neuron may overwrite it.
        pairs = zip(initial, foreign, strict=True)
        initial = [x.clone() if copied else x for x, copied in pairs]
    call = Call(
        kind_of(neuron),
        sequence=False,
        states=False,
        constants=len(constants) + 1,
        spikes=DenseSpikes,
        channels_last=is_channels_last(current, sequence=False),
    )
    spikes, *last = run_layer(call, [current, *constants, 1.0, *initial])
    return Taken(initial, Run(spikes, (), tuple(last)))


def _is_usual(x: Any) -> bool:
    return is_usual(x) and x.is_cpu


def is_usual(x: Any) -> bool:
    """Whether this is dense float32 that autograd may save."""
    return (
        type(x) is Tensor
        and x.dtype is torch.float32
        and x.layout is torch.strided
        and not x.is_nested
        and not x.is_inference()
    )


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
