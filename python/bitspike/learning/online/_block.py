"""A block of steps of a sequential network, each layer in one call."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from bitspike.neurons.base.inputs import current_of, states_before
from bitspike.neurons.base.recurrent import Recurrent
from bitspike.neurons.leaky_integrator import LI
from bitspike.run.sequence import flat
from bitspike.run.unroll import unroll

from . import _synapses as synapses
from ._assembly import Assembly
from ._derivatives import each_step, fixed_step
from ._functions import Below, Both
from ._layer import Layer, Moment
from ._watch import joined_below


def refusal_of_block(assembly: Assembly) -> str | None:
    """Why a network takes single steps instead of blocks, or None if it does not."""
    modules = [module for _, module in flat(assembly.net)]
    if not set(assembly.layers) <= set(modules):
        return "the network is no nn.Sequential"
    if any(layer.has_dense_connection() for layer in assembly.layers.values()):
        return "a recurrent layer sends each step's spikes to the next"
    rule = assembly.rule
    if rule.signal != "backprop" or rule.kappa or rule.trace in ("pair", "rank1"):
        return "its signal or filter is that of a step"
    if rule.steps or rule.rate_cost or rule.gain != 1 and rule.trace == "none":
        return "its signal or filter is that of a step"
    for synapse, behind in zip(modules, [*modules[1:], None], strict=True):
        if isinstance(synapse, synapses.SYNAPSES) and behind not in assembly.layers:
            rest = modules[modules.index(synapse) :]
            if any(module in assembly.layers for module in rest):
                return "a module stands between a synapse and its neurons"
    return None


def run_block(assembly: Assembly, x: Tensor, within: str) -> Any:
    """Runs a block ``[K, B, *]`` through the modules, one after another."""
    modules = [module for _, module in flat(assembly.net)]
    value: Any = x
    i = 0
    while i < len(modules):
        synapse = modules[i] if isinstance(modules[i], synapses.SYNAPSES) else None
        behind = modules[i + 1] if synapse is not None and i + 1 < len(modules) else None
        layer = assembly.layers.get(modules[i] if synapse is None else behind)
        if layer is None:
            value = unroll(modules[i], value)
            i += 1
            continue
        assembly.pair(layer, synapse, value.dtype)
        value = _layer(assembly, layer, value, within)
        i += 1 if synapse is None else 2
    return value


def _layer(assembly: Assembly, layer: Layer, x: Any, within: str) -> Any:
    neuron, synapse, rule = layer.neuron, layer.synapse, assembly.rule
    below: Tensor | None
    if rule.carries:
        # The graph of the block as it is, or without errors that flow to it through time.
        whole = within == "bptt" or not x.requires_grad
        source = x if whole else x.detach()
        current = source if synapse is None else unroll(synapse, source)
        below = None if whole else x if synapse is None else _below(synapse, current, x)
    else:
        source = x.detach() if assembly.splits else x
        current = source if synapse is None else unroll(synapse, source)
        for mechanism in layer.mechanisms:
            current = mechanism.traced(current, is_block=True)
        if assembly.splits and synapse is not None:
            current = joined_below(synapse, current, x, rule.signal)
        below = current
    current = current_of(current, True, neuron.threshold.device)
    none = (None,) * len(neuron.STATES)
    initial = [x.detach() for x in states_before(neuron, current, none, sequence=True)]
    started = initial
    for mechanism in layer.mechanisms:
        started = mechanism.enter(started)
    asks = below is not None or any(mechanism.needs_states for mechanism in layer.mechanisms)
    with torch.set_grad_enabled(rule.carries and torch.is_grad_enabled()):
        spikes, states = _run(neuron, current, started, asks)
    before = (
        [
            torch.cat([first.unsqueeze(0), state.detach()[:-1]])
            for first, state in zip(initial, states, strict=True)
        ]
        if asks
        else []
    )
    moment = Moment(layer, None if synapse is None else x.detach(), current.detach(), before)
    if below is not None and torch.is_grad_enabled():
        if rule.carries:
            again = fixed_step(neuron, below, before, moment.feedback)
            both = zip([spikes, *states], again, strict=True)
            spikes, *states = (Both.apply(first, second) for first, second in both)
        else:
            spikes, *states = each_step(neuron, below, before, moment.feedback_with_graph())
    for mechanism in layer.mechanisms:
        spikes = mechanism.leave(spikes, moment)
    neuron.detach_mem()
    if isinstance(neuron, LI):
        return states[0] if states else spikes
    if neuron.output:
        return (spikes, *(states[1:] if isinstance(neuron, Recurrent) else states))
    return spikes


def _below(synapse: Any, current: Tensor, x: Tensor) -> Tensor:
    """A current whose gradient goes to the input alone."""
    below: Tensor = Below.apply(current, x, partial(synapses.input_gradient, synapse, x))
    return below


def _run(
    neuron: Any, current: Tensor, started: list[Tensor], asks: bool
) -> tuple[Tensor, list[Tensor]]:
    """Spikes, or the membrane of an integrator, and the states after each step if asked for."""
    neuron._keep(None, tuple(started), detached=False)
    output, neuron.output = neuron.output, neuron.output or asks
    try:
        result = neuron.run_sequence(current)
    finally:
        neuron.output = output
    if isinstance(neuron, LI):
        return result, [result]
    if isinstance(result, Tensor):
        return result, []
    spikes, *states = result
    return spikes, [spikes, *states] if isinstance(neuron, Recurrent) else states


def stacked(results: list[Any]) -> Any:
    """Results of single steps as one of a block."""
    if isinstance(results[0], tuple):
        return tuple(torch.stack([result[i] for result in results]) for i in range(len(results[0])))
    return torch.stack(results)
