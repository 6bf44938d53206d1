"""Following one call of a network: which synapse drives which neurons, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bitspike.neurons.base.inputs import current_of, states_before
from bitspike.neurons.base.recurrent import OneToOne

from . import _synapses as synapses
from ._assembly import Assembly
from ._functions import Below, Both, DiagonalBack, Replaced
from ._layer import Layer, Moment


class Made(NamedTuple):
    """A current, and what made it."""

    synapse: nn.Module
    x: Tensor
    """The input, with the graph that leads to it."""
    current: Tensor


class Call(NamedTuple):
    """A call of neurons that has begun."""

    x: Tensor | None
    current: Tensor
    before: list[Tensor]


class Watch:
    """Hooks on the modules of a network while a learner calls it with one step.

    Args:
        assembly: The network and its rule.
    """

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.made: list[Made] = []
        self.calls: dict[nn.Module, Call] = {}
        self.inputs: dict[nn.Module, Tensor] = {}

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Sets the hooks, and removes them."""
        handles = []
        for synapse in self.assembly.synapses:
            handles.append(synapse.register_forward_pre_hook(self._before_synapse))
            handles.append(synapse.register_forward_hook(self._after_synapse))
        for neuron, layer in self.assembly.layers.items():
            handles.append(neuron.register_forward_pre_hook(self._before_neurons))
            handles.append(neuron.register_forward_hook(self._after_neurons))
            if layer.connection is not None:
                handles += _hook_connection(layer, self.assembly.rule.gain)
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _before_synapse(self, synapse: nn.Module, args: tuple[Any, ...]) -> Any:
        x = args[0]
        self.inputs[synapse] = x
        return (x.detach(), *args[1:]) if self.assembly.splits and x.requires_grad else None

    def _after_synapse(self, synapse: nn.Module, args: Any, current: Tensor) -> None:
        for neuron in self.calls:
            layer = self.assembly.layers[neuron]
            if not layer.is_hidden:
                layer.is_hidden = True
                self.assembly.signals.adapt(layer, synapse)
        self.made.append(Made(synapse, self.inputs.pop(synapse), current))

    def _before_neurons(self, neuron: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        layer = self.assembly.layers[neuron]
        if neuron in self.calls:
            raise ValueError(
                f"{self.assembly.rule.name}: {layer.name} is called twice in a step, and has one "
                "trace; use a module for each call"
            )
        given = args[0]
        made = self._pop(given)
        self._pair(layer, made, given)
        current = given
        for mechanism in layer.mechanisms:
            current = mechanism.traced(current, is_block=False)
        if made is not None and self.assembly.splits:
            current = joined_below(made.synapse, current, made.x, self.assembly.rule.signal)
        dense = current_of(current, False, neuron.threshold.device)
        none = (None,) * len(neuron.STATES)
        before = [x.detach() for x in states_before(neuron, dense, none, sequence=False)]
        x = None if made is None else made.x.detach()
        self.calls[neuron] = Call(x, dense.detach(), before)
        started = before
        for mechanism in layer.mechanisms:
            started = mechanism.enter(started)
        neuron._keep(neuron._before, tuple(started), detached=False)
        return (current, *args[1:])

    def _pair(self, layer: Layer, made: Made | None, current: Any) -> None:
        if made is None and self.made and self.assembly.rule.trace != "none":
            raise TypeError(
                f"{self.assembly.rule.name}: the current of {layer.name} is not what an nn.Linear "
                "or nn.Conv returned, though one was called before: a module or an operation "
                "stands between them. Put it in front of the synapse, or use online.SLTT()"
            )
        self.assembly.pair(layer, None if made is None else made.synapse, current.dtype)

    def _pop(self, current: Any) -> Made | None:
        for i, made in enumerate(self.made):
            if made.current is current:
                return self.made.pop(i)
        return None

    def _after_neurons(self, neuron: Any, args: Any, result: Any) -> Any:
        layer, call = self.assembly.layers[neuron], self.calls[neuron]
        x = None if call.x is None else call.x.unsqueeze(0)
        before = [state.unsqueeze(0) for state in call.before]
        moment = Moment(layer, x, call.current.unsqueeze(0), before)
        spikes, *states = result if isinstance(result, tuple) else (result,)
        for mechanism in layer.mechanisms:
            spikes = mechanism.leave(spikes, moment)
        return (spikes, *states) if isinstance(result, tuple) else spikes


def scaled(x: Tensor, gain: float) -> Tensor:
    """A tensor whose gradient is multiplied."""
    if not torch.is_grad_enabled():
        return x
    result: Tensor = Replaced.apply(x, lambda grad: grad * gain)
    return result


def joined_below(synapse: Any, current: Tensor, x: Tensor, signal: str) -> Tensor:
    """A current of a synapse that was called without the graph of its input, with that graph."""
    if not x.requires_grad or signal == "local" or not torch.is_grad_enabled():
        return current
    below = Below.apply(current, x, lambda grad: synapses.input_gradient(synapse, x, grad))
    result: Tensor = Both.apply(current, below)
    return result


def _hook_connection(layer: Layer, gain: float) -> list[Any]:
    """Hooks that let through of a connection's gradient what the rule follows."""
    connection = layer.connection
    if gain != 1:  # nothing is carried then, so the spikes have no graph
        return [connection.register_forward_hook(lambda _, __, result: scaled(result, gain))]
    if layer.recurrence == "full":
        return [connection.register_forward_hook(lambda _, __, result: layer.connected(result))]
    if (
        layer.recurrence == "none"
        or isinstance(connection, OneToOne)
        and layer.recurrence == "self"
    ):
        return []

    def before(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        given.append(args[0])
        return (args[0].detach(), *args[1:])

    def after(_: nn.Module, args: Any, result: Tensor) -> Tensor | None:
        spikes, autapse = given.pop(), layer.autapse()
        if autapse is None or not torch.is_grad_enabled():
            return None
        passed: Tensor = DiagonalBack.apply(result, spikes, autapse)
        return passed

    given: list[Tensor] = []
    return [
        connection.register_forward_pre_hook(before),
        connection.register_forward_hook(after),
    ]
