"""Firing of neurons that take whole sequences only, and are not reset."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike import surrogate
from bitspike.ops import _dispatch
from bitspike.ops._function import Layer
from bitspike.scan import linear_scan

from ._constants import Constants


def fire(neuron: Constants, membrane: Tensor, packed: bool = True) -> Tensor:
    """Spikes ``[T, B, *]`` of the membrane of all steps, packed if they can and may be."""
    # A native layer that forgets at once does nothing but fire.
    spikes, *_ = _layer(neuron, membrane, membrane.new_zeros(()), packed, states=False)
    return spikes


def integrate_and_fire(neuron: Constants, current: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and membrane ``[T, B, *]`` of a leaky integrator without reset."""
    spikes, membrane, *_ = _layer(neuron, current, decay, packed=True, states=True)
    return spikes, membrane


def _layer(
    neuron: Constants, current: Tensor, decay: Tensor, packed: bool, states: bool
) -> tuple[Tensor, ...]:
    threshold, factor = neuron.threshold, neuron.graded_spikes_factor
    reason = _refusal(neuron, current, decay)
    if reason is not None:
        _dispatch.require_native(reason)
        membrane = linear_scan(current, decay)
        spikes = neuron.spike_grad(membrane - threshold) * factor
        return spikes.to(current.dtype), membrane
    packed = packed and neuron._spikes_are_bits()
    constants = [x.float() for x in (decay, threshold, factor)]
    spikes, *results = Layer.apply(
        ("leaky", "none", False),
        (neuron.spike_grad.NAME, neuron.spike_grad.parameters),  # type: ignore[attr-defined]
        (True, packed, states),
        len(constants),
        current.float(),
        *constants,
        torch.zeros(current.shape[1:]),
    )
    return spikes.to(current.dtype), *results


def _refusal(neuron: Constants, *tensors: Tensor) -> str | None:
    """Why a neuron cannot fire natively for these tensors, or None if it can."""
    if not isinstance(neuron.spike_grad, surrogate.Surrogate):
        return "spike_grad is a function that only torch can call"
    if not neuron.spike_grad.is_native():
        return f"{neuron.spike_grad} has no native form"
    current, *others = tensors
    return _dispatch.refusal(current, [*others, neuron.threshold, neuron.graded_spikes_factor])
