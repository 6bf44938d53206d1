"""A single step of an ordinary layer, which a program's own loop over time calls most.

Its questions are those of usual.py, and its way to the kernel is the shortest.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.ops import sequence, step
from bitspike.ops.call import Call, Inputs, Need
from bitspike.ops.channels_last import is_channels_last
from bitspike.ops.route import gradient_needs_torch, is_watched
from bitspike.spikes.dense import DenseSpikes
from bitspike.spikes.upstream import plain_gradient
from bitspike.state import is_alive

from .layer import Layer, as_spikes, run_layer
from .run import Run, kind_of
from .saving import recorded_copy, save, saved
from .usual import Taken, is_usual_on_cpu, usual_constants


class Step(Layer):
    """A step whose constants are numbers: its spikes, and the states after it.

    Where its gradients are differentiated again, or watched, they are those of any layer.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, call: Call, asks: list[bool], numbers: list[float], *shown: Tensor
    ) -> tuple[Tensor, ...]:
        """Runs the step; ``shown`` are its current and the states before it."""
        ctx.call, ctx.asks = call, asks
        ctx.set_materialize_grads(False)
        current, *initial = shown
        kept = recorded_copy(current)
        save(ctx, (kept, *numbers, *initial))
        return _spikes_and_states(call, Inputs(kept, numbers, initial))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of what was shown."""
        if is_watched() or gradient_needs_torch(grads):
            return Layer.backward(ctx, *grads)
        inputs = sequence.of_tensors(ctx.call, saved(ctx))
        _, _, _, need, *of_states = ctx.needs_input_grad
        found = step.backward(
            ctx.call,
            inputs,
            [plain_gradient(x) for x in grads],
            Need(current=need, initial=True in of_states, constants=False),
        )
        return None, None, None, *found


def _spikes_and_states(call: Call, inputs: Inputs) -> tuple[Tensor, ...]:
    spikes, *states = step.forward(call, inputs)
    return as_spikes(call, spikes), *states


def single_step(neuron: Any, current: Any, given: tuple[Any, ...]) -> Taken | None:
    """One step in the native module, or None if anything about the call is unusual.

    Args:
        neuron: One whose class runs natively in the way that is common to most.
        current: The input of the call.
        given: Its states.
    """
    constants = usual_constants(neuron, current, sequence=False)
    if constants is None:
        return None
    records = torch.is_grad_enabled()
    initial: list[Tensor] = []
    asks = current.requires_grad
    for name, state in zip(neuron.STATES, given, strict=True):
        kept = neuron.__dict__.get(name)
        found = kept if state is None else state
        if not is_usual_on_cpu(found) or found.shape != current.shape:
            return None
        if state is None and not is_alive(kept):
            return None
        asks = asks or found.requires_grad
        # The owner of a state that was not returned by this neuron may overwrite it.
        initial.append(found.clone() if records and found is not kept else found)
    call = Call(
        kind_of(neuron),
        sequence=False,
        states=False,
        constants=len(constants),
        spikes=DenseSpikes,
        channels_last=is_channels_last(current, sequence=False),
    )
    numbers = [x for x in constants if type(x) is float]
    if len(numbers) < len(constants) or call.channels_last:
        spikes, *last = run_layer(call, [current, *constants, *initial])
    elif records and asks:
        shown = [True, *(False for _ in numbers), *(True for _ in initial)]
        spikes, *last = Step.apply(call, shown, numbers, current, *initial)
    else:
        spikes, *last = _spikes_and_states(call, Inputs(current, numbers, initial))
    return Taken(initial, Run(spikes, (), tuple(last)))
