"""Equations of neurons as nodes of NIR, and back: the table of both directions."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Size, Tensor

from .clock import Clock
from .equation import Equation, number
from .errors import NIRError
from .records import Edge, Record

INTEGRATORS = ("LI", "I", "CubaLI")
FIRING = ("LIF", "IF", "CubaLIF")


@dataclass
class Assembly:
    """The nodes that compute an equation, by what their names have behind that of the neuron."""

    nodes: dict[str, Record]
    edges: list[Edge] = field(default_factory=list)
    entry: str = ""
    """Which of them takes the input."""
    exit: str = ""
    """Which of them makes the output."""


def assembly(equation: Equation, shape: Size, clock: Clock, hints: dict[str, Any]) -> Assembly:
    """The nodes that compute an equation whose reset is ``"none"`` or ``"zero"`` or subtracts.

    ======================  ===================================================================
    does not fire           ``LI``, or ``I`` without leak
    ``"zero"``              ``LIF``, ``IF`` without leak, ``CubaLIF`` behind a synapse
    ``"none"``              ``LI → Threshold``
    ``"subtract"``          the same, and back: ``Threshold → Scale(-θ) → LI``
    ``"subtract_beta"``     ``Scale(-βθ)`` in its place, and so if a subtraction is immediate
    ======================  ===================================================================

    With ``τ = dt/(1 - β)`` and ``r = g·τ/dt`` the Euler step of LI is that of `LI` here. A synapse
    in front of ``LI → Threshold`` is one more LI, because a reset must not enter it.

    Raises:
        NIRError: for decays that no time constant has.
    """
    if equation.threshold is None:
        return Assembly({"": _integrator(equation.beta, equation.gain, shape, clock)})
    if equation.reset == "zero":
        return Assembly({"": _firing(equation, shape, clock, hints)})
    nodes = {"li": _integrator(equation.beta, equation.gain, shape, clock)}
    nodes["threshold"] = Record("Threshold", _filled(shape, threshold=equation.threshold), hints)
    edges, entry = [("li", "threshold")], "li"
    if equation.alpha is not None:
        synapse = _integrator(equation.alpha, equation.w_in, shape, clock)
        synapse.metadata = {"part": "synapse"}
        nodes, edges, entry = {"syn": synapse, **nodes}, [("syn", "li"), *edges], "syn"
    if equation.reset != "none":
        fed_back = -subtracted(equation) / equation.gain
        nodes["reset"] = Record("Scale", _filled(shape, scale=fed_back))
        edges += [("threshold", "reset"), ("reset", "li")]
    return Assembly(nodes, edges, entry, "threshold")


def subtracted(equation: Equation) -> Tensor:
    """What a spike takes from the membrane that the next step leaves."""
    threshold = number(0.0) if equation.threshold is None else equation.threshold
    at_next = equation.reset == "subtract" and equation.delayed
    return threshold if at_next else equation.beta * threshold


def _integrator(decay: Tensor, gain: Tensor, shape: Size, clock: Clock) -> Record:
    if bool((decay == 1).all()):
        return Record("I", _filled(shape, r=gain / clock.dt))
    tau = clock.time_constant(decay)
    return Record("LI", _filled(shape, tau=tau, r=gain / clock.gain(tau), v_leak=number(0.0)))


def _firing(equation: Equation, shape: Size, clock: Clock, hints: dict[str, Any]) -> Record:
    """The node of a neuron with a hard reset."""
    fires = {"v_threshold": equation.threshold, "v_reset": equation.v_reset}
    if equation.alpha is not None:
        tau_syn, tau = clock.time_constant(equation.alpha), clock.time_constant(equation.beta)
        w_in = equation.w_in / clock.synapse_gain(tau_syn)
        r = equation.gain / clock.membrane_gain(tau_syn, tau)
        fields = {"tau_syn": tau_syn, "tau_mem": tau, "r": r, "v_leak": equation.v_rest}
        return Record("CubaLIF", _filled(shape, w_in=w_in, **fields, **fires), hints)
    if bool((equation.beta == 1).all()):
        return Record("IF", _filled(shape, r=equation.gain / clock.dt, **fires), hints)
    tau = clock.time_constant(equation.beta)
    r = equation.gain / clock.gain(tau)
    return Record("LIF", _filled(shape, tau=tau, r=r, v_leak=equation.v_rest, **fires), hints)


def _filled(shape: Size, **fields: Any) -> dict[str, Tensor]:
    """Fields with a number for each neuron."""
    return {name: x.double().expand(shape).contiguous() for name, x in fields.items()}


def equation_of_node(record: Record, clock: Clock, subtracts: bool) -> Equation:
    """What a node of NIR computes.

    Args:
        record: One of `INTEGRATORS`, `FIRING` or a ``Threshold``.
        clock: Time.
        subtracts: Whether a spike subtracts the threshold, where the node does not say what it
            resets to.

    Raises:
        NIRError: for numbers that no step has.
    """
    fields = {name: _coefficient(name, x) for name, x in record.fields.items() if x is not None}
    try:
        equation = _read(record.kind, fields, clock)
    except KeyError as missing:
        raise NIRError(f"{record.kind} has no field {missing}") from None
    if record.kind not in FIRING:
        return equation
    if "v_reset" not in fields and subtracts:
        if record.hint("reset_delay") is False:
            return replace(equation, reset="subtract", delayed=False)
        # From what the step leaves, to which the next one applies the decay.
        return replace(equation, reset="subtract_beta")
    delayed = record.hint("reset_delay") is True and equation.alpha is None
    v_reset = fields.get("v_reset", number(0.0))
    if bool((v_reset > fields["v_threshold"]).any()):
        raise NIRError("v_reset is above v_threshold, so that a spike would be followed by others")
    return replace(equation, reset="zero", delayed=delayed, v_reset=v_reset)


def _coefficient(name: str, x: Any) -> Tensor:
    if not isinstance(x, Tensor) or x.dtype is torch.bool:
        raise NIRError(f"{name} must be numbers, not {x!r}")
    if not bool(torch.isfinite(x).all()):
        fault = "; a node without leak (I, IF) says an infinite tau" if "tau" in name else ""
        raise NIRError(f"{name} has numbers that are not finite{fault}")
    return x.double()


def _read(kind: str, fields: dict[str, Tensor], clock: Clock) -> Equation:
    """The equation of a node apart from its reset."""
    if kind == "Threshold":
        return Equation(beta=number(0.0), threshold=fields["threshold"])
    threshold = fields["v_threshold"] if kind in FIRING else None
    if kind in ("I", "IF"):
        r = fields["r"]
        if clock.dt != 1 and bool((r == 1).all()):
            raise NIRError(
                f"r = 1 weighs the input of a step by dt = {clock.dt}: the network was probably "
                "written in steps of 1; pass dt=1"
            )
        return Equation(number(1.0).expand(r.shape), r * clock.dt, threshold=threshold)
    if kind in ("LI", "LIF"):
        tau = _time_constant("tau", fields, clock)
        return Equation(
            clock.decay(tau),
            fields["r"] * clock.gain(tau),
            threshold=threshold,
            v_rest=fields["v_leak"],
        )
    tau_syn, tau = (_time_constant(name, fields, clock) for name in ("tau_syn", "tau_mem"))
    return Equation(
        clock.decay(tau),
        fields["r"] * clock.membrane_gain(tau_syn, tau),
        alpha=clock.decay(tau_syn),
        w_in=fields.get("w_in", number(1.0)) * clock.synapse_gain(tau_syn),
        threshold=threshold,
        v_rest=fields["v_leak"],
    )


def _time_constant(name: str, fields: dict[str, Tensor], clock: Clock) -> Tensor:
    tau = fields[name]
    smallest = float(tau.min()) if tau.numel() else clock.dt
    if smallest <= 0:
        raise NIRError(f"{name} must be positive, not {smallest}")
    if smallest < clock.dt and not clock.exact:
        raise NIRError(
            f"{name} = {smallest} is shorter than dt = {clock.dt}, and Euler's decay would be "
            'negative; pass a smaller dt, or discretization="exact"'
        )
    return tau
