"""Neurons and layers with hidden state over whole sequences, as a loop of single steps has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from bitspike import checkpoint
from bitspike.layers.delay import SynapticDelay
from bitspike.layers.dropout import TimeDropout
from bitspike.neurons.base.inputs import current_of, states_before
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.run import Run
from bitspike.ops.route import has_hooks

_OWN = __name__.partition(".")[0]


def is_steppable(module: nn.Module) -> bool:
    """Whether a neuron takes single steps, and a sequence stands for a loop of them."""
    return (
        isinstance(module, SpikingNeuron)
        and not module.multi_step
        and type(module).run_sequence is SpikingNeuron.run_sequence
        and _is_ours(module)
    )


def is_steppable_layer(module: nn.Module) -> bool:
    """The same for a layer that keeps its state itself."""
    if type(module) is SynapticDelay:
        return module.step_mode and _is_ours(module)
    return type(module) is TimeDropout and not module.multi_step and _is_ours(module)


def _is_ours(module: nn.Module) -> bool:
    """Whether nothing of a user's own happens in a call, which would happen at every step."""
    forward = type(module).forward
    is_own = forward.__module__.partition(".")[0] == _OWN and "forward" not in vars(module)
    return is_own and not has_hooks(module)


def run_neuron(neuron: Any, x: Tensor, given: Sequence[Any], states: bool) -> Run:
    """What single steps of a neuron compute, one after another.

    Args:
        neuron: The neuron.
        x: The sequence ``[T, B, *]``.
        given: The states that are passed to the first step; None for those that it keeps.
        states: Whether the states of all steps are wanted.
    """
    checkpoint.note(neuron, given[0] is None)
    current = current_of(x, True, neuron.threshold.device)
    shapes = neuron.state_shapes(current.shape[1:])
    if not neuron.init_hidden:
        held = zip(given, neuron._kept(), shapes, strict=True)
        # A single step starts anew from rest where the shape of a state is another.
        given = [_fitting(kept if state is None else state, shape) for state, kept, shape in held]
    initial = states_before(neuron, current, tuple(given), True)
    run: Run = neuron.run(current, initial, sequence=True, states=states)
    neuron._keep(None, run.last, detached=not neuron.init_hidden)
    return run


def _fitting(state: Tensor, shape: Any) -> Tensor | None:
    return state if state.shape == shape else None
