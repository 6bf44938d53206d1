"""From a rule to what it does at each layer, and what it cannot do."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.recurrent import Recurrent
from bitspike.neurons.leaky_integrator import LI
from bitspike.state import HiddenState

from . import _synapses as synapses
from ._carried import Carried, Matrices, Vectors
from ._derivatives import is_linear
from ._filtered import Filtered
from ._input_trace import InputTrace
from ._layer import Layer, Mechanism
from ._pairs import MeanDerivative, PostTrace
from ._rank_one import RankOne
from ._reach import Reach
from ._reach import refusal as refusal_of_reach
from ._signals import Signals, signal_of
from .rule import Rule


class Assembly:
    """A network, with what a rule does at each of its layers.

    Args:
        net: The network.
        rule: The rule.

    Raises:
        TypeError: if there are no neurons, or one has no trace form.
        ValueError: for options of neurons that do not go with learning step by step.
    """

    def __init__(self, net: nn.Module, rule: Rule) -> None:
        self.net = net
        self.rule = rule
        self.signals = Signals(rule)
        self.layers = _layers_of(net, rule)
        self.inside = {module for neuron in self.layers for module in neuron.modules()}
        self.synapses = [
            module
            for module in net.modules()
            if isinstance(module, synapses.SYNAPSES) and module not in self.inside
        ]
        self.splits = rule.trace in ("input", "pair") or rule.gain != 1 or rule.signal == "local"
        """Whether synapses learn by other errors than they send to their input."""

    def pair(self, layer: Layer, synapse: nn.Module | None, dtype: torch.dtype) -> None:
        """Notes the synapse of a layer, and equips the layer on its first call.

        Raises:
            TypeError: if it is another one than before, or the rule holds no traces of it.
        """
        if not layer.is_paired:
            layer.synapse, layer.is_paired = synapse, True
            layer.mechanisms = self._equipment(layer, dtype)
            layer.restore()
        elif layer.synapse is not synapse:
            raise TypeError(
                f"{self.rule.name}: {layer.name} is driven by another synapse than before"
            )
        layer.look_for_parameters()

    def _equipment(self, layer: Layer, dtype: torch.dtype) -> list[Mechanism]:
        """What the rule does at a layer, whose synapse is known."""
        rule = self.rule
        for synapse in (layer.synapse, layer.connection):
            if isinstance(synapse, synapses.SYNAPSES) and rule.trace != "none":
                reason = synapses.refusal(synapse)
                if reason is not None:
                    raise TypeError(
                        f"{rule.name}: the synapse of {layer.name} has no trace: {reason}; "
                        "online.SLTT() needs none"
                    )
        found: list[Mechanism] = []
        carried: Carried | None = None
        if rule.trace == "input":
            found.append(InputTrace(layer, rule.leak, rule.gain))
        elif rule.trace == "synapse":
            carried = self._carried(layer, dtype)
        elif rule.trace == "rank1":
            found.append(RankOne(layer, self.signals.generator))
        elif rule.trace == "pair":
            inputs = InputTrace(layer, rule.leak, rule.gain)
            found.append(inputs)
            if rule.mean:
                if not isinstance(layer.neuron, LI):
                    found.append(MeanDerivative(layer, lambda: inputs.leak))
            elif rule.post is not None and not isinstance(layer.neuron, LI):
                found.append(PostTrace(layer, *rule.post))
        elif rule.gain != 1 and not isinstance(layer.neuron, LI):
            found.append(InputTrace(layer, 0.0, rule.gain))
        filters = rule.kappa or rule.signal == "reward"
        if filters and not isinstance(layer.neuron, LI):
            # In front of what is carried, which it reads as it is before the step.
            found.append(Filtered(layer, rule.kappa, rule.gain, carried))
        if carried is not None:
            found.append(carried)
        return found + signal_of(layer, self.signals)

    def _carried(self, layer: Layer, dtype: torch.dtype) -> Carried:
        if self.rule.recurrence == "full" and layer.has_dense_connection():
            reason = refusal_of_reach(layer, self.rule.reach)
            if self.rule.kappa or self.rule.signal == "reward":
                reason = "a filter holds no influence on other neurons"
            if reason is not None:
                raise TypeError(
                    f"{self.rule.name}: {layer.name} sends spikes to itself, and {reason}; "
                    "online.SnAp() and online.EProp() take less"
                )
            return Reach(layer, self.rule.reach)
        kind = Vectors if is_linear(layer.neuron, layer.carried, dtype) else Matrices
        return kind(layer)

    def others(self) -> list[str]:
        """The names of modules that learn, but of which the rule holds no trace."""
        known = {*self.synapses, *self.inside}
        return [
            name or type(module).__name__
            for name, module in self.net.named_modules()
            if module not in known
            and any(x.requires_grad for x in module.parameters(recurse=False))
        ]


def _layers_of(net: nn.Module, rule: Rule) -> dict[Any, Layer]:
    found: dict[Any, Layer] = {}
    for name, module in net.named_modules():
        if isinstance(module, SpikingNeuron):
            _expect_fit(name or type(module).__name__, module, rule)
            found[module] = Layer(name, module, rule.recurrence)
        elif isinstance(module, HiddenState) and any(True for _ in module.parameters()):
            raise TypeError(
                f"{rule.name}: {name}, a {type(module).__name__}, learns and keeps a state that is "
                "no neuron's, so that no rule holds a trace of it; train it with bitspike.backprop"
            )
    if not found:
        raise TypeError(f"{rule.name}: net has no spiking neurons, so there is nothing to trace")
    return found


def _expect_fit(name: str, neuron: Any, rule: Rule) -> None:
    if not neuron.init_hidden or neuron.multi_step:
        raise ValueError(
            f"{rule.name}: {name} must keep its state from step to step: init_hidden=True, and "
            "multi_step=False"
        )
    if rule.reset is not None and (rule.reset == "live") == neuron.detach_reset:
        raise ValueError(
            f"{rule.name}: reset={rule.reset!r} needs detach_reset={rule.reset != 'live'}, but "
            f"that of {name} is {neuron.detach_reset}"
        )
    reason = _refusal(neuron, rule)
    if reason is not None and rule.trace != "none":
        raise TypeError(
            f"{rule.name}: {name}, a {type(neuron).__name__}, has no trace form: {reason}. "
            "online.SLTT() needs no trace, and bitspike.backprop takes every neuron"
        )


def _refusal(neuron: Any, rule: Rule) -> str | None:
    """Why a rule cannot trace what happens in a neuron, or None if it can."""
    step = torch.Size((2, 3))
    inner = [*neuron.named_parameters()]
    if any("." in name and not name.startswith(("recurrent.", "spike_grad")) for name, _ in inner):
        return "it has weights of its own"
    if any(shape != step for shape in neuron.state_shapes(step)):
        return "its states do not have the shape of its input"
    if neuron.inhibition:
        return "inhibition couples the neurons of a layer"
    if neuron.order != "integrate_first":
        return "its spikes tell of the step before (order='fire_first')"
    if rule.trace in ("input", "pair"):
        if isinstance(neuron, Recurrent):
            return f"trace={rule.trace!r} does not hold what comes back; online.EProp() does"
        beta = getattr(neuron, "beta", None)
        if rule.leak is None and (not isinstance(beta, torch.Tensor) or beta.numel() != 1):
            return "it has no single decay beta; give lam, the decay of the trace"
    return None
