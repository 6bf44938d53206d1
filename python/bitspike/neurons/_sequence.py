"""Firing of neurons that take whole sequences only, and are not reset."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.ops import _dispatch
from bitspike.ops._function import Layer
from bitspike.scan import linear_scan

from ._constants import Constants


def fire(neuron: Constants, membrane: Tensor, packed: bool = True) -> Tensor:
    """Spikes ``[T, B, *]`` of the membrane of all steps, packed if they can and may be."""
    if not _is_native(neuron, membrane):
        return neuron.spike_grad(membrane - neuron.threshold) * neuron.graded_spikes_factor
    # A layer that forgets at once does nothing but fire. (What has overflowed is NaN one step
    # later, and silent.)
    return _layer(neuron, membrane, membrane.new_zeros(()), packed, states=False)[0]


def integrate_and_fire(neuron: Constants, current: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and membrane ``[T, B, *]`` of a leaky integrator without reset."""
    if not _is_native(neuron, current, decay):
        membrane = linear_scan(current, decay)
        return fire(neuron, membrane).to(current.dtype), membrane
    spikes, membrane, _ = _layer(neuron, current, decay, packed=True, states=True)
    return spikes, membrane


def _layer(
    neuron: Constants, current: Tensor, decay: Tensor, packed: bool, states: bool
) -> tuple[Tensor, ...]:
    """A native layer without reset, from a membrane of 0: spikes, membranes if wanted, the last."""
    packed = packed and neuron._spikes_are_bits()
    constants = [x.float() for x in (decay, neuron.threshold, neuron.graded_spikes_factor)]
    spikes, *membranes = Layer.apply(
        ("leaky", "none", False),
        (neuron.spike_grad.NAME, neuron.spike_grad.parameters),  # type: ignore[attr-defined]
        (True, packed, states),
        len(constants),
        current.float(),
        *constants,
        torch.zeros(current.shape[1:]),
    )
    return spikes.to(current.dtype), *membranes


def _is_native(neuron: Constants, *tensors: Tensor) -> bool:
    """Whether a neuron can fire natively for these tensors.

    Raises:
        RuntimeError: if it cannot, and the environment forbids the reference path.
    """
    current, *others = tensors
    reason = neuron._surrogate_refusal() or _dispatch.refusal(
        current, [*others, neuron.threshold, neuron.graded_spikes_factor]
    )
    if reason is not None:
        _dispatch.require_native(reason)
    return reason is None
