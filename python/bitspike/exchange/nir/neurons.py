"""Our neurons as equations, and the neurons that compute an equation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Size, Tensor, nn

from bitspike.neurons import (
    IF,
    LI,
    CuBaLIF,
    Leaky,
    LinearLeaky,
    RefractoryLeaky,
    RLeaky,
    RSynaptic,
    StateLeaky,
    Synaptic,
)
from bitspike.neurons.base.neuron import SpikingNeuron
from bitspike.neurons.base.overridden import overridden_by
from bitspike.neurons.base.recurrent import OneToOne, Recurrent

from .equation import Equation, collapsed, is_one, number, same
from .errors import NIRError

KINDS = (
    *(Leaky, IF, LI, Synaptic, CuBaLIF, RefractoryLeaky),
    *(RLeaky, RSynaptic, StateLeaky, LinearLeaky),
)
"""The neurons that NIR can say."""


def equation_of(neuron: Any, *, nudge_threshold: bool = False) -> Equation:
    """What a neuron computes.

    Args:
        neuron: One of our classes.
        nudge_threshold: Whether "at or above the threshold" may be said as "above the next smaller
            number".

    Raises:
        NIRError: if NIR cannot say it, with what to do instead.
    """
    if type(neuron) not in KINDS:
        names = ", ".join(kind.__name__ for kind in KINDS)
        raise NIRError(
            f"NIR has no node that computes {type(neuron).__name__}; there are nodes for {names}, "
            "and save_network writes files with all neurons that have kernels"
        )
    fault = _fault(neuron, nudge_threshold)
    if fault:
        raise NIRError(fault)
    with torch.no_grad():
        if isinstance(neuron, StateLeaky):
            fires = _wide(neuron.threshold) if neuron.output else None
            return Equation(_wide(neuron.decay), threshold=fires)
        numbers: Any = dict(zip(neuron.PARAMETERS, map(_wide, neuron.coefficients()), strict=True))
        numbers.pop("refractory", None)
        gain = numbers.pop("r", numbers.pop("gain", number(1.0)))
        if isinstance(neuron, LI):
            return Equation(gain=gain, **numbers)
        threshold = neuron.firing_threshold()
        if neuron.fire_at == "ge":
            threshold = torch.nextafter(threshold, torch.full_like(threshold, -torch.inf))
        return Equation(
            gain=gain,
            threshold=_wide(threshold),
            reset=neuron.reset_mechanism,
            delayed=neuron.reset_delay,
            **numbers,
        )


def _wide(x: Tensor) -> Tensor:
    return x.detach().double().cpu()


def _fault(neuron: Any, nudge_threshold: bool) -> str:
    """Why NIR cannot say a neuron of one of our classes, and what to do instead; or nothing."""
    overridden = neuron._overridden or overridden_by(neuron)
    if overridden is not None:
        return f"it overrides {overridden}, which NIR cannot say; use the class as it is"
    if neuron.state_quant:
        return "NIR cannot say state_quant; export with state_quant=False"
    if isinstance(neuron, StateLeaky):
        if neuron.kernel_truncation_steps is not None:
            return "NIR cannot say a truncated kernel; export with kernel_truncation_steps=None"
        return ""
    if neuron.inhibition:
        return "NIR has no node for inhibition; export with inhibition=False"
    if neuron.spike_range != (0, 1):
        return f"NIR cannot say spike_range={neuron.spike_range}; export with (0, 1)"
    if neuron.fire_at == "ge" and not nudge_threshold:
        return (
            "NIR's neurons fire above the threshold, and fire_at='ge' at it too; "
            "nudge_threshold=True lowers the threshold by one unit in its last place, which says it"
        )
    if isinstance(neuron, RefractoryLeaky) and bool((neuron.refractory != 0).any()):
        return "NIR has no refractory period; export with refractory=0"
    if isinstance(neuron, Recurrent) and bool((neuron.graded_spikes_factor != 1).any()):
        return "spikes that come back count 1 in NIR; export with graded_spikes_factor=1"
    return ""


def neuron_of(equation: Equation, wanted: str = "", spike_grad: Any = None) -> SpikingNeuron:
    """The neuron that computes an equation, with hidden states.

    Args:
        equation: What it computes; without gains for which no neuron has a parameter.
        wanted: The name of a class; it is taken if it can compute the equation.
        spike_grad: The surrogate of neurons that fire.
    """
    beta = narrow(equation.beta)
    if equation.threshold is None:
        return LI(beta, init_hidden=True)
    options: Any = {
        "threshold": narrow(equation.threshold),
        "spike_grad": spike_grad,
        "init_hidden": True,
        "reset_mechanism": equation.reset,
    }
    if equation.has_potentials or wanted == "RefractoryLeaky":
        return RefractoryLeaky(
            beta,
            v_rest=narrow(equation.v_rest),
            v_reset=narrow(equation.v_reset),
            decay_input=not is_one(equation.gain),
            **options,
        )
    options["reset_delay"] = equation.delayed
    if equation.alpha is None:
        is_perfect = bool((equation.beta == 1).all())
        return IF(**options) if is_perfect else Leaky(beta, **options)
    alpha = narrow(equation.alpha)
    if is_one(equation.w_in) and is_one(equation.gain) and wanted != "CuBaLIF":
        return Synaptic(alpha, beta, **options)
    gains: Any = {"w_in": narrow(equation.w_in), "r": narrow(equation.gain)}
    return CuBaLIF(alpha, beta, **gains, **options)


def has_gain(equation: Equation, wanted: str) -> bool:
    """Whether the neuron that computes an equation has parameters for its gains."""
    if equation.threshold is None:
        return is_one(equation.gain)
    if equation.alpha is not None or is_one(equation.gain):
        return True
    is_refractory = equation.has_potentials or wanted == "RefractoryLeaky"
    return is_refractory and same(equation.gain, 1 - equation.beta.float())


def recurrent_of(
    equation: Equation, shape: Size, connection: nn.Module, spike_grad: Any = None
) -> Recurrent:
    """The recurrent layer of neurons that compute an equation.

    Args:
        equation: What its neurons compute, all gains 1.
        shape: That of one step without the batch.
        connection: What its spikes go through before they come back; `connects` says of which there
            are layers.
        spike_grad: The surrogate.
    """
    options: dict[str, Any] = (_connection_options(connection, shape) or {}) | {
        "beta": narrow(equation.beta),
        "threshold": narrow(equation.threshold),  # type: ignore[arg-type]
        "spike_grad": spike_grad,
        "init_hidden": True,
        "reset_mechanism": equation.reset,
        "reset_delay": equation.delayed,
    }
    kind: Callable[..., Recurrent] = RLeaky
    if equation.alpha is not None:
        kind, options["alpha"] = RSynaptic, narrow(equation.alpha)
    layer = kind(**options)
    if not isinstance(layer.recurrent, OneToOne):
        layer.recurrent = connection
    return layer


def connects(connection: nn.Module, shape: Size) -> bool:
    """Whether there are recurrent layers of neurons of this shape with this connection."""
    return _connection_options(connection, shape) is not None


def _connection_options(connection: nn.Module, shape: Size) -> dict[str, Any] | None:
    """The arguments that describe a connection to the constructor of a recurrent layer."""
    if isinstance(connection, nn.Linear):
        return {"linear_features": connection.in_features} if len(shape) == 1 else None
    if isinstance(connection, nn.Conv2d):
        sides = connection.kernel_size
        centred = (sides[0] // 2, sides[1] // 2)
        plain = connection.padding == centred and connection.groups == 1
        plain = plain and connection.stride == connection.dilation == (1, 1)
        channels = {"conv2d_channels": shape[0], "kernel_size": sides}
        return channels if plain and len(shape) == 3 else None
    scale = getattr(connection, "scale", None)
    return None if scale is None else {"all_to_all": False, "V": scale.detach().clone()}


def narrow(x: Tensor) -> Tensor:
    """A coefficient in float32, as small as it can be."""
    return collapsed(x.float()).clone()
