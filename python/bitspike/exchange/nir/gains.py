"""Gains and constant currents that no neuron has a parameter for."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .equation import Equation, collapsed, is_one, number
from .neurons import has_gain
from .records import Record
from .report import Report
from .wiring import Unit, Wiring

_LAYERS = ("Linear", "Affine", "Conv1d", "Conv2d")


def move_gains(wiring: Wiring, report: Report) -> None:
    """Moves gains and constant currents out of neurons that have no parameters for them.

    They go into the weights and the bias in front if these feed no one else, and else into a unit
    of their own. Both are exact but for the rounding of float32.
    """
    for name, unit in list(wiring.units.items()):
        if unit.equation is None:
            continue
        if unit.equation.threshold is None and unit.equation.alpha is not None:
            _move(wiring, *_split(wiring, name, unit, unit.equation), report)
        _move(wiring, name, unit, unit.equation, report)


def _split(wiring: Wiring, name: str, unit: Unit, equation: Equation) -> tuple[str, Unit, Equation]:
    """Makes two integrators of one behind a synapse, and returns the first."""
    alpha = number(0.0) if equation.alpha is None else equation.alpha
    synapse = Equation(alpha, equation.w_in)
    front = Unit(Record("LI"), shape=unit.takes, takes=unit.takes, equation=synapse)
    unit.equation = replace(equation, alpha=None, w_in=number(1.0))
    return wiring.put_in_front(name, f"{name}_syn", front), front, synapse


def _move(wiring: Wiring, name: str, unit: Unit, equation: Equation, report: Report) -> None:
    gain, current = number(1.0), number(0.0)
    is_hard = equation.reset == "zero"
    if not (is_hard and equation.threshold is not None) and bool((equation.v_rest != 0).any()):
        if equation.alpha is not None:
            report.refuse(name, "v_leak behind a synapse has no neuron here; shift all by it")
            return
        current = equation.driven()
        equation = replace(equation, v_rest=number(0.0))
    if equation.alpha is not None and equation.has_potentials:
        if bool((equation.v_rest != equation.v_reset).any()):
            report.refuse(name, "a CubaLIF with v_leak other than v_reset has no neuron here")
            return
        threshold = number(0.0) if equation.threshold is None else equation.threshold
        shifted = threshold - equation.v_reset
        zero = number(0.0)
        equation = replace(equation, threshold=shifted, v_rest=zero, v_reset=zero)
        report.change(name, "potentials are shifted so that it rests at 0")
    if unit.recurrent is not None:
        gain = equation.gain * equation.w_in
        equation = replace(equation, gain=number(1.0), w_in=number(1.0))
    elif not has_gain(equation, unit.wanted):
        gain, equation = equation.gain, replace(equation, gain=number(1.0))
    unit.equation = equation
    if is_one(gain) and bool((current == 0).all()):
        return
    if unit.recurrent is not None:
        unit.recurrent = folded(unit.recurrent, gain, current * 0)
    before = wiring.before[name]
    alone = len(before) == 1 and wiring.after[before[0]] == [name]
    moved = folded(wiring.units[before[0]].record, gain, current) if alone else None
    what = "and".join(
        text
        for text, there in (
            (f" gain {_range(gain)} ", not is_one(gain)),
            (f" constant current {_range(current)} ", bool((current != 0).any())),
        )
        if there
    ).strip()
    if moved is not None:
        wiring.units[before[0]].record = moved
        report.change(name, f"{what} folded into the weights of {before[0]}")
        return
    fields = {"scale": gain, "current": current}
    front = Unit(Record("Scale", fields), shape=unit.takes, takes=unit.takes)
    wiring.put_in_front(name, f"{name}_gain", front)
    report.change(name, f"{what} as a layer in front of it")


def _range(x: Tensor) -> str:
    low, high = float(x.min()), float(x.max())
    return f"{low:.6g}" if low == high else f"{low:.6g} to {high:.6g}"


def folded(record: Record, gain: Tensor, current: Tensor) -> Record | None:
    """A layer whose results are multiplied and moved, or None if it cannot be said."""
    if record.kind == "Scale":
        if bool((current != 0).any()):
            return None
        return Record("Scale", {"scale": record.fields["scale"].double() * gain})
    if record.kind not in _LAYERS:
        return None
    weight = record.fields["weight"]
    is_conv = record.kind.startswith("Conv")
    channels = []
    for x in (gain, current):
        x = collapsed(x)
        if is_conv and x.dim() and (x.dim() != weight.dim() - 1 or x[0].numel() != 1):
            return None
        channels.append(x.flatten())
    gain, current = channels
    fields = dict(record.fields)
    fields["weight"] = (weight.double() * gain.view(-1, *(1,) * (weight.dim() - 1))).float()
    bias = record.fields.get("bias")
    kind = record.kind
    if bias is not None or bool((current != 0).any()):
        bias = torch.zeros(len(weight)) if bias is None else bias
        fields["bias"] = (bias.double() * gain + current).float()
        kind = "Affine" if kind == "Linear" else kind
    return Record(kind, fields, record.metadata)
