"""What native layers compute, in torch: it has the derivatives that kernels have not."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike import _native, neurons, surrogate
from bitspike.ops._function import Layer, Recurrent

Kind = tuple[str, str, bool]
"""The name of a kernel, its reset, and whether that acts at once."""


def layer(
    kind: Kind,
    surrogate_: tuple[str, list[float]],
    layout: tuple[bool, bool],
    constants: int,
    current: Tensor,
    *tensors: Tensor,
) -> tuple[Tensor, ...]:
    """What `ops.sequence.forward` returns, dense.

    Args:
        kind: The kernel.
        surrogate_: The name of the surrogate, and its parameters.
        layout: Whether the first axis of the current is time, and whether all states are wanted.
        constants: How many of ``tensors`` are constants.
        current: The input.
        tensors: The constants, of which the last are the threshold and the graded factor, and the
            states before the first step.
    """
    numbers, initial = tensors[:constants], tensors[constants:]
    neuron = _neuron(kind, surrogate_, *numbers)
    spikes, states, last = neuron._run_reference(current, list(initial), *layout)
    return (spikes, *states, *last)


def recurrent(
    kind: Kind,
    surrogate_: tuple[str, list[float]],
    layout: tuple[bool, bool],
    constants: int,
    current: Tensor,
    first: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    one_to_one: Tensor | None,
    *tensors: Tensor,
) -> tuple[Tensor, ...]:
    """What `ops.recurrent.forward` returns, dense; the arguments are explained there."""
    numbers, states = tensors[:constants], tensors[constants:]
    neuron = _neuron(kind, surrogate_, *numbers, torch.ones_like(numbers[-1]))
    sequence, wanted = layout
    history, feedback = [], first
    for x in current.unbind(0) if sequence else [current]:
        spikes, states = neuron.step(x, *states, feedback)
        history.append((spikes, *states))
        if weight is not None:
            feedback = F.linear(spikes, weight, bias)
        elif one_to_one is not None:
            feedback = spikes * one_to_one
    if not sequence:
        return history[-1]
    trains, *others = (torch.stack(steps) for steps in zip(*history, strict=True))
    return (trains, *(others if wanted else ()), *history[-1])


def _neuron(kind: Kind, surrogate_: tuple[str, list[float]], *constants: Tensor) -> Any:
    """A neuron of this kernel with these constants, and no parameter of its own."""
    name, mechanism, immediate = kind
    owner = next(owner for owner in neurons.ALL if owner.NAME == name)
    neuron = owner.__new__(owner)
    nn.Module.__init__(neuron)
    *coefficients, threshold, factor = constants
    neuron.__dict__.update(
        coefficients=partial(tuple, coefficients),
        firing_threshold=lambda: threshold,
        graded_spikes_factor=factor,
        spike_grad=_surrogate(*surrogate_),
        _reset_mechanism=mechanism,
        reset_delay=not immediate,
        detach_reset=True,
        fire_at="gt",
        spike_range=(0, 1),
        inhibition=False,
        state_quant=False,
    )
    return neuron


def _surrogate(name: str, parameters: list[float]) -> surrogate.Surrogate:
    owner = next(owner for owner in surrogate.ALL if owner.NAME == name)
    names = _native.describe()["surrogates"][name]
    return owner(**dict(zip(names, parameters, strict=True)))


Layer.specification, Recurrent.specification = layer, recurrent
