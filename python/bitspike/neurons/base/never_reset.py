"""Neurons that take whole sequences only, and are never reset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitspike.arguments import expect_one_device
from bitspike.ops import route
from bitspike.ops.call import Call, Kind
from bitspike.reference_path import leave_kernels
from bitspike.scan import linear_scan

from .constants import firing_refusal, note_unit_spikes, register, set_firing, spikes_are_bits
from .layer import run_layer
from .overridden import overridden_by_class


class NeverReset(nn.Module):
    """Base of neurons that fire, but are never reset: a scan computes their membranes."""

    spike_grad: Callable[[Tensor], Tensor]
    threshold: Tensor
    graded_spikes_factor: Tensor

    _overridden: ClassVar[str | None] = None
    """A method of the class that kernels stand in for, and that is not the library's own."""
    _constant = register
    _set_firing = set_firing

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._overridden = overridden_by_class(cls)

    def fire(self, mem: Tensor) -> Tensor:
        """Spikes where the membrane is above threshold, times the graded factor."""
        return self.spike_grad(mem - self.threshold) * self.graded_spikes_factor

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        note_unit_spikes(self)


def fire(neuron: Any, membrane: Tensor, packed: bool = True) -> Tensor:
    """Spikes ``[T, B, *]`` of the membrane of all steps, packed if they can and may be."""
    constants = [neuron.threshold, neuron.graded_spikes_factor]
    reason = _refusal(neuron, membrane, constants)
    if reason is not None:
        _expect_one_device(membrane, None, *constants)
        # If the membrane is not of a native dtype, its computation has warned of that already.
        surprises = constants if membrane.dtype in route.NATIVE_DTYPES else []
        leave_kernels(type(neuron).__name__, reason, membrane, surprises)
        spikes: Tensor = neuron.fire(membrane)
        return spikes
    # With a decay of 0 and no reset the kernel of `Leaky` only compares with the threshold. (After
    # an infinite membrane 0·inf makes the next one NaN, which does not fire.)
    return _layer(neuron, membrane, membrane.new_zeros(()), packed, states=False)[0]


def integrate_and_fire(neuron: NeverReset, current: Tensor, decay: Tensor) -> tuple[Tensor, Tensor]:
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
    neuron: NeverReset, current: Tensor, decay: Tensor, packed: bool, states: bool
) -> tuple[Tensor, ...]:
    """A native layer without reset, from a membrane of 0: spikes, membranes if wanted, the last."""
    packed = packed and spikes_are_bits(neuron)
    constants = [x.float() for x in (decay, neuron.threshold, neuron.graded_spikes_factor)]
    surrogate: Any = neuron.spike_grad
    kind = Kind("leaky", "none", False, surrogate.NAME, surrogate.parameters)
    initial = torch.zeros(current.shape[1:], dtype=torch.float32, device=current.device)
    spikes, *membranes = run_layer(
        Call(kind, True, states, len(constants), packed=packed),
        [current.float(), *constants, initial],
    )
    return spikes.to(current.dtype), *membranes


def _refusal(neuron: NeverReset, current: Tensor, constants: list[Tensor]) -> str | None:
    """Why a neuron cannot fire natively for these tensors, or None if it can."""
    return firing_refusal(neuron) or route.refusal(current, constants)
