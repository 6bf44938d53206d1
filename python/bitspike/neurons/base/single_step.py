"""A single step of an ordinary layer, which a program's own loop over time calls most.

The questions that run.py asks take longer than the kernel of a small step. Here they are asked in
their shortest form, once; whatever gives an unusual answer runs as run.py has it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike.ops import route, sequence, step
from bitspike.ops.call import Call, Constant, Inputs, Need
from bitspike.ops.channels_last import is_channels_last
from bitspike.ops.route import gradient_needs_torch, is_watched
from bitspike.spikes.dense import DenseSpikes
from bitspike.spikes.upstream import plain_gradient
from bitspike.state import is_alive

from .constants import firing_refusal
from .layer import Layer, as_spikes, run_layer
from .run import Run, kind_of
from .saving import recorded_copy, save, saved


class Taken(NamedTuple):
    """A step that ran here."""

    initial: list[Tensor]
    """The states before it."""
    run: Run


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
    if route.is_observed() or not (_is_usual(current) and _fires_as_usual(neuron)):
        return None
    records = torch.is_grad_enabled()
    initial: list[Tensor] = []
    asks = current.requires_grad
    for name, state in zip(neuron.STATES, given, strict=True):
        kept = neuron.__dict__.get(name)
        found = kept if state is None else state
        if not _is_usual(found) or found.shape != current.shape:
            return None
        if state is None and not is_alive(kept):
            return None
        asks = asks or found.requires_grad
        # The owner of a state that was not returned by this neuron may overwrite it.
        initial.append(found.clone() if records and found is not kept else found)
    *numbers, factor = neuron._parts()
    constants: list[Constant] = []
    learns = False
    for x in numbers:
        if x.numel() != 1 or x.dtype is not torch.float32 or not x.is_cpu:
            return None
        learned = records and x.requires_grad
        learns = learns or learned
        constants.append(x if learned else x.item())
    if factor.requires_grad or factor.numel() != 1 or not factor.is_cpu or factor.item() != 1:
        return None
    constants.append(1.0)
    call = Call(
        kind_of(neuron),
        sequence=False,
        states=False,
        constants=len(constants),
        spikes=DenseSpikes,
        channels_last=is_channels_last(current, sequence=False),
    )
    if learns or call.channels_last:
        spikes, *last = run_layer(call, [current, *constants, *initial])
    elif records and asks:
        shown = [True, *(False for _ in constants), *(True for _ in initial)]
        spikes, *last = Step.apply(call, shown, constants, current, *initial)
    else:
        spikes, *last = _spikes_and_states(call, Inputs(current, constants, initial))
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
