"""A whole sequence of an ordinary layer in the native module, from rest or from a kept state.

Its questions are those of usual.py.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from bitspike.ops.call import Call
from bitspike.ops.channels_last import is_channels_last
from bitspike.state import is_alive

from .layer import run_layer
from .run import Run, kind_of
from .usual import Taken, is_usual_on_cpu, usual_constants


def native_sequence(neuron: Any, current: Any, given: tuple[Any, ...]) -> Taken | None:
    """A sequence in the native module, or None if anything about the call is unusual.

    Args:
        neuron: One whose class runs natively in the way that is common to most.
        current: The input of the call.
        given: Its states.
    """
    constants = usual_constants(neuron, current, sequence=True)
    if constants is None:
        return None
    step = current.shape[1:]
    continues = neuron.init_hidden
    initial: list[Tensor] = []
    for i, (name, state) in enumerate(zip(neuron.STATES, given, strict=True)):
        if state is not None:
            return None
        kept = neuron.__dict__.get(name) if continues else None
        if kept is None or kept.shape != step:
            kept = neuron._first(i, step, current.dtype, current.device)
        elif not (is_usual_on_cpu(kept) and is_alive(kept)):
            return None
        initial.append(kept)
    states = neuron.output or not continues
    call = Call(
        kind_of(neuron),
        sequence=True,
        states=states,
        constants=len(constants),
        packed=True,
        channels_last=is_channels_last(current, sequence=True),
    )
    spikes, *results = run_layer(call, [current, *constants, *initial])
    count = len(initial)
    return Taken(initial, Run(spikes, tuple(results[:-count]), tuple(results[-count:])))
