"""The ops of neurons in a network file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from bitspike.graph import GraphError
from bitspike.graph.modules import shaped_as
from bitspike.neurons import LI
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.recurrent import OneToOne, Recurrent

SPIKES = (".spikes", ".late")
"""How names of values end that are spikes of neurons."""


def output_of(path: str, neuron: SpikingNeuron) -> str:
    """The name of what a neuron returns first."""
    *_, name = _outputs(path, neuron)
    return name


def _outputs(path: str, neuron: SpikingNeuron) -> Iterator[str]:
    """The names of what becomes of its spikes, one after another."""
    yield f"{path}.spikes"
    if neuron.order == "fire_first":
        yield f"{path}.late"
    if bool((neuron.graded_spikes_factor != 1).any()):
        yield f"{path}.graded"


def add(described: Any, path: str, neuron: SpikingNeuron, current: str, shape: list[int]) -> None:
    """Adds the ops of a neuron, and those of its connection to itself.

    Raises:
        GraphError: if a file has none for it.
    """
    reason = neuron._refusal(torch.empty(1), [])
    if reason is not None:
        raise GraphError(f"{path} cannot run without torch: {reason}")
    states = [name for name in neuron.STATES if name != "spk"]
    rest = dict(zip(neuron.STATES, neuron.rest(), strict=True))
    coefficients = zip(neuron.PARAMETERS, neuron.coefficients(), strict=True)
    keys = {name: described.number(f"{path}.{name}", number) for name, number in coefficients}
    keys["state"] = [f"{path}.{name}" for name in states]
    keys["initial"] = [described.number(f"{path}.{name}.initial", rest[name]) for name in states]
    if isinstance(neuron, LI):
        out = described.fresh(f"{path}.out")
        described.add({"op": "li", "in": current, "out": out, **keys}, "numbers")
        return
    recurrent = None
    if isinstance(neuron, Recurrent):
        recurrent = _feedback(described, path, neuron.recurrent, shape)
    spikes, *others = _outputs(path, neuron)
    op = {
        "op": neuron.NAME,
        "in": current,
        "out": spikes,
        "threshold": described.number(f"{path}.threshold", neuron.firing_threshold()),
        "reset": neuron.reset_mechanism,
        "reset_delay": neuron.reset_delay,
        "fire_at": "gt",
        "order": "integrate_first",
        "recurrent": recurrent,
        **keys,
    }
    described.add(op, "spikes")
    for name in keys["state"]:
        described.kinds[name] = "numbers"
    for out in others:
        if out.endswith(".late"):
            _expect_silence_at_first(path, neuron, shape)
            described.add({"op": "delay", "in": spikes, "out": out, "steps": 1}, "spikes")
        else:
            factor = described.number(f"{out}.factor", neuron.graded_spikes_factor)
            described.add({"op": "scale", "in": spikes, "out": out, "factor": factor}, "numbers")
        spikes = out


def _expect_silence_at_first(path: str, neuron: SpikingNeuron, shape: list[int]) -> None:
    """Refuses a neuron of ``order="fire_first"`` that fires before any input."""
    size = torch.Size([1, *shape])
    rest = [neuron._at_rest(i, size, torch.float32, "cpu") for i in range(len(neuron.STATES))]
    if bool(neuron.fire(neuron.level(*rest)).any()):
        raise GraphError(f"{path} fires at rest, which a network file has no word for")


def _feedback(described: Any, path: str, connection: nn.Module, shape: list[int]) -> str:
    """The current that a layer sends to itself."""
    x, out = described.previous(f"{path}.spikes", shape, "spikes"), f"{path}.recurrent"
    op: dict[str, Any]
    if isinstance(connection, OneToOne):
        op = {"op": "scale", "in": x, "factor": described.number(f"{path}.V", connection.V)}
    elif shaped_as(connection) is nn.Linear and len(shape) == 1:
        op = {"op": "linear", "in": x, **described.weights(out, connection)}
    else:
        kind = type(connection).__name__
        raise GraphError(f"{out} is a {kind}, which a network file has no op for")
    described.add({**op, "out": out}, "numbers")
    return out
