"""Firing of neurons that take whole sequences only, and are not reset."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import expect_one_device
from bitspike.ops import route
from bitspike.ops.call import Call, Kind
from bitspike.reference_path import leave_kernels
from bitspike.scan import linear_scan
from bitspike.spikes.tensor import SpikeTensor

from .constants import Constants
from .layer import run_layer


def fire(neuron: Constants, membrane: Tensor, packed: bool = True) -> Tensor:
    """Spikes ``[T, B, *]`` of the membrane of all steps, packed if they can and may be."""
    constants = [neuron.threshold, neuron.graded_spikes_factor]
    reason = _refusal(neuron, membrane, constants)
    if reason is not None:
        _expect_one_device(membrane, None, *constants)
        # In which dtype the membrane was computed was told there.
        surprises = constants if membrane.dtype in route.NATIVE_DTYPES else []
        leave_kernels(type(neuron).__name__, reason, membrane, surprises)
        return neuron.fire(membrane)
    # A layer that forgets at once does nothing but fire. (What has overflowed is NaN one step
    # later, and silent.)
    return _layer(neuron, membrane, membrane.new_zeros(()), packed, states=False)[0]


def integrate_and_fire(neuron: Constants, current: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and membrane ``[T, B, *]`` of a leaky integrator without reset."""
    constants = [decay, neuron.threshold, neuron.graded_spikes_factor]
    if _refusal(neuron, current, constants) is not None:
        _expect_one_device(current, *constants)
        membrane = linear_scan(current, decay)
        return fire(neuron, membrane).to(current.dtype), membrane
    spikes, membrane, _ = _layer(neuron, current, decay, packed=True, states=True)
    return spikes, membrane


def _expect_one_device(current: Tensor, *constants: Tensor | None) -> None:
    names = ("beta", "threshold", "graded_spikes_factor")
    expect_one_device(current, "input_", zip(names, constants, strict=True))


def _layer(
    neuron: Constants, current: Tensor, decay: Tensor, packed: bool, states: bool
) -> tuple[Tensor, ...]:
    """A native layer without reset, from a membrane of 0: spikes, membranes if wanted, the last."""
    packed = packed and neuron._spikes_are_bits()
    constants = [x.float() for x in (decay, neuron.threshold, neuron.graded_spikes_factor)]
    surrogate: Any = neuron.spike_grad
    kind = Kind("leaky", "none", False, surrogate.NAME, surrogate.parameters)
    initial = torch.zeros(current.shape[1:], dtype=torch.float32, device=current.device)
    spikes, *membranes = run_layer(
        Call(kind, True, states, len(constants), SpikeTensor if packed else Tensor),
        [current.float(), *constants, initial],
    )
    return spikes.to(current.dtype), *membranes


def _refusal(neuron: Constants, current: Tensor, constants: list[Tensor]) -> str | None:
    """Why a neuron cannot fire natively for these tensors, or None if it can."""
    return (
        neuron._override_refusal()
        or neuron._surrogate_refusal()
        or route.refusal(current, constants)
    )
