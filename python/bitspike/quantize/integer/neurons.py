"""Neurons of a network file, in integers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from bitspike.graph import GraphError

from . import bounds
from .signals import Signal

_DECAYS = {"leaky": ("beta",), "li": ("beta",), "synaptic": ("alpha", "beta")}


def neuron_op(graph: Any, op: dict[str, Any]) -> None:
    """Adds a neuron to an `IntegerGraph`.

    Raises:
        GraphError: for what integers have no form for, with the way out.
        ValueError: for a threshold that is no integer of 32 bits.
    """
    name, out = op["in"], op["out"]
    recurrent = op.get("recurrent")
    drives = [name] if recurrent is None else [name, recurrent]
    signals = graph.read_alike(drives, out)
    if any(signal.is_spikes for signal in signals):
        raise GraphError(f"{out} is driven by spikes themselves: put a linear layer in front of it")
    if any(initial != 0 for initial in op["initial"]):
        raise GraphError(f"{out} starts at states other than 0, which integers have no form for")
    if op.get("reset") == "subtract_beta":
        raise GraphError(f"{out} subtracts its decayed threshold: take reset_mechanism='subtract'")
    scale, shape = signals[0].scale, tuple(signals[0].scale.shape)
    made = {key: value for key, value in op.items() if key != "initial"}
    amount = torch.zeros(shape, dtype=torch.int64)
    if "threshold" in op:
        threshold = _threshold(graph.number(op["threshold"], shape), scale, out)
        made["threshold"] = graph.parameter(f"{out}.threshold", threshold)
        amount = threshold if op["reset"] == "subtract" else amount
    bound = torch.stack([signal.bound for signal in signals]).sum(0)
    largest = bound
    for key in _DECAYS[op["op"]]:
        decay, shift, factor = _decay(graph, graph.number(op[key], shape), f"{out}.{key}")
        made[key] = decay
        last = amount if key == "beta" else torch.zeros_like(amount)
        bound = bounds.of_states(shift, factor, bound, last)
        largest = torch.maximum(largest, bound)
    made["acc_bound"] = int(largest.max())
    _add(graph, made, scale, largest)


def _add(graph: Any, op: dict[str, Any], scale: Tensor, bound: Tensor) -> None:
    """Adds the op, with its states and spikes as values."""
    states = Signal(scale, bound)
    graph.add(op, states if op["op"] == "li" else Signal.spikes(tuple(scale.shape)))
    for state in op["state"]:
        graph.add_value(state, states)


def _threshold(threshold: Tensor, scale: Tensor, out: str) -> Tensor:
    """Thresholds in units of the membrane."""
    steps = (threshold / scale).round()
    if not bool(((steps >= 0) & (steps < 2**31)).all()):
        raise ValueError(
            f"{out}: thresholds must be from 0 on, and below 2^31 units of the membrane; they are "
            f"from {float(threshold.min()):g} to {float(threshold.max()):g}, and units from "
            f"{float(scale.min()):g} on"
        )
    return steps.long()


def _decay(graph: Any, beta: Tensor, name: str) -> tuple[Any, int | None, Tensor | None]:
    """The JSON of a decay, and its shift or factors."""
    rounding = {"round": graph.options.shift_round}
    if bool((beta == 1).all()):
        return None, None, None
    if graph.options.decay == "shift":
        first = float(beta.flatten()[0])
        if not bool((beta == first).all()):
            raise GraphError(f"{name} differs from neuron to neuron: take decay='multiply'")
        shift = _shift(first)
        return {"shift": shift, **rounding}, shift, None
    factor = (beta * bounds.SHARES).round().long().clamp(0, bounds.SHARES - 1)
    return {"multiply": graph.parameter(name, factor), **rounding}, None, factor


def _shift(beta: float) -> int:
    """The shift whose decay is nearest."""
    lost = 1 - beta
    near = max(0, math.floor(-math.log2(lost)))
    return min(min(near, 24), min(near + 1, 24), key=lambda k: abs(2.0**-k - lost))
