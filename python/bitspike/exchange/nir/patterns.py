"""Nodes that are one neuron together: integrator, threshold, reset, and recurrent weights."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from .equation import Equation, is_one, same
from .layers import layer_of
from .neurons import connects
from .nodes import INTEGRATORS
from .records import Record
from .wiring import Unit, Wiring

_DENSE = ("Linear", "Affine")


def fuse(wiring: Wiring) -> None:
    """Makes one unit of those that are one neuron together.

    They are ``LI → Threshold``, with or without ``Threshold → Scale(-θ) → LI``; such a neuron
    behind an integrator that was written as its synapse; and neurons that fire with a node through
    which their spikes come back to them, and only to them.
    """
    for name in wiring.of_kind("Threshold"):
        _fuse_threshold(wiring, name)
    for name, unit in list(wiring.units.items()):
        if unit.record.hint("part") == "synapse" and unit.record.kind in INTEGRATORS:
            _fuse_synapse(wiring, name)
    for name, unit in list(wiring.units.items()):
        if unit.equation is not None and unit.equation.threshold is not None:
            _fuse_recurrent(wiring, name)


def _fuse_threshold(wiring: Wiring, name: str) -> None:
    """``LI → Threshold``, and what leads back."""
    threshold = wiring.units[name]
    before = wiring.before[name]
    if len(before) != 1 or threshold.equation is None:
        return
    integrator = wiring.units[before[0]]
    if integrator.record.kind not in INTEGRATORS or integrator.equation is None:
        return
    hints = threshold.record.metadata
    delayed = threshold.record.hint("reset_delay") is not False
    fires = threshold.equation.threshold
    equation = replace(integrator.equation, threshold=fires, delayed=delayed)
    chain = [before[0], name]
    for back in wiring.after[name]:
        if wiring.before[back] == [name] and wiring.after[back] == [before[0]]:
            found = _reset(equation, wiring.units[back].record)
            if found is not None and len(chain) == 2:
                equation = found
                chain.append(back)
    if wiring.after[before[0]] != [name]:
        return
    record = Record("Threshold", metadata=hints)
    unit = Unit(record, shape=integrator.shape, takes=integrator.shape, equation=equation)
    wiring.replace(chain, _together(chain), unit)


def _reset(equation: Equation, record: Record) -> Equation | None:
    """The equation of a neuron whose spikes come back through a node, if that is its reset."""
    scale = _factor(record)
    threshold = equation.threshold
    if scale is None or threshold is None or equation.alpha is not None:
        return None
    taken = -scale.double() * equation.gain
    at_next = same(taken, threshold)
    if same(taken, equation.beta.float().double() * threshold):
        if not equation.delayed:
            return replace(equation, reset="subtract")
        if not at_next:
            return replace(equation, reset="subtract_beta")
    return replace(equation, reset="subtract", delayed=True) if at_next else None


def _factor(record: Record) -> Tensor | None:
    """What a node multiplies each neuron by, if it does no more."""
    if record.kind == "Scale":
        scale: Tensor = record.fields["scale"]
        return scale
    weight: Any = record.fields.get("weight")
    if record.kind != "Linear" or weight.dim() != 2 or weight.shape[0] != weight.shape[1]:
        return None
    diagonal = torch.diagonal(weight)
    return diagonal if int((weight != 0).sum()) == int((diagonal != 0).sum()) else None


def _fuse_synapse(wiring: Wiring, name: str) -> None:
    """An integrator and the neuron behind it."""
    synapse, after = wiring.units[name], wiring.after[name]
    if len(after) != 1 or wiring.before[after[0]] != [name]:
        return
    if synapse.equation is None or synapse.equation.alpha is not None:
        return
    neuron = wiring.units[after[0]]
    equation = neuron.equation
    if equation is None or equation.alpha is not None or neuron.record.kind != "Threshold":
        return
    of_synapse: Any = {"alpha": synapse.equation.beta, "w_in": synapse.equation.gain}
    neuron.equation = replace(equation, **of_synapse)
    neuron.takes = synapse.takes
    chain = [name, after[0]]
    wiring.replace(chain, _together(chain), neuron)


def _fuse_recurrent(wiring: Wiring, name: str) -> None:
    """A neuron, and the node through which its spikes come back."""
    neuron = wiring.units[name]
    loops = [
        back
        for back in wiring.after[name]
        if wiring.before[back] == [name] and wiring.after[back] == [name]
    ]
    outside = [a for a in wiring.before[name] if a not in loops]
    if len(loops) != 1 or not outside or neuron.equation is None:
        return
    record = wiring.units[loops[0]].record
    factor = _factor(record)
    if factor is not None:
        record = Record("Scale", {"scale": factor})
    kinds: tuple[str, ...] = (*_DENSE, "Scale")
    if is_one(neuron.equation.gain * neuron.equation.w_in):
        kinds += ("Conv2d",)  # others would have to take over the gain, maybe one for each neuron
    if record.kind not in kinds or neuron.equation.has_potentials:
        return
    if not connects(layer_of(record), neuron.shape):
        return
    if neuron.equation.reset == "zero" and neuron.equation.delayed:
        neuron.equation = replace(neuron.equation, delayed=False)
    neuron.recurrent = record
    chain = [name, loops[0]]
    wiring.replace(chain, _together(chain), neuron)


def _together(names: list[str]) -> str:
    """The path of what is one neuron: what the paths of its nodes have in common."""
    common = os.path.commonprefix([f"{name}." for name in names])
    return common.rpartition(".")[0] or names[0]
