"""Running a neuron over one step or a sequence: natively, or in torch."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from bitspike.arguments import expect_one_device
from bitspike.ops import route
from bitspike.ops.call import Call, Kind
from bitspike.ops.channels_last import is_channels_last
from bitspike.reference_path import leave_kernels
from bitspike.spikes.dense import DenseSpikes, as_dense_spikes
from bitspike.spikes.pack import pack_if_binary
from bitspike.spikes.tensor import SpikeTensor

from .constants import firing_refusal, spikes_are_bits
from .layer import run_layer
from .programs import floats, run_program


class Run(NamedTuple):
    """What a call of a neuron computes."""

    spikes: Tensor
    states: tuple[Tensor, ...]
    """The states of all steps, if they are wanted."""
    last: tuple[Tensor, ...]
    """The states after the last step."""


def run(neuron: Any, current: Tensor, initial: list[Tensor], sequence: bool, states: bool) -> Run:
    """The functional form; see :meth:`SpikingNeuron.run`."""
    result = _run(neuron, current, initial, sequence, states)
    if neuron.order == "fire_first":
        return result._replace(spikes=_before_update(neuron, result.spikes, initial, sequence))
    return result


def _run(neuron: Any, current: Tensor, initial: list[Tensor], sequence: bool, states: bool) -> Run:
    """On the CPU as a kernel, or else as a program, or else in torch."""
    if current.is_cpu:
        numbers = _numbers(neuron, current, initial, sequence)
        reason = neuron._refusal(current, numbers)
        if reason is None:
            result: Run = neuron._run_native(current, numbers, initial, sequence, states)
            return result
    found = run_program(neuron, current, initial, sequence, states)
    if found is not None:
        return Run(*found)
    if not current.is_cpu:
        # A program has checked its own constants; these take small launches on a GPU.
        numbers = _numbers(neuron, current, initial, sequence)
        reason = neuron._refusal(current, numbers)
    _expect_one_device(neuron, current, initial)
    leave_kernels(type(neuron).__name__, reason, current, numbers)
    return Run(*neuron._run_reference(current, initial, sequence, states))


def _numbers(neuron: Any, current: Tensor, initial: list[Tensor], sequence: bool) -> list[Tensor]:
    """The coefficients of a kernel, which fit the states.

    Raises:
        ValueError: if one has another shape, or is on another device.
    """
    step = current.shape[1:] if sequence else current.shape
    try:
        found: list[Tensor] = neuron._numbers(neuron.state_shapes(step)[-1])
    except RuntimeError:
        _expect_one_device(neuron, current, initial)
        raise
    return found


def _before_update(neuron: Any, spikes: Tensor, initial: list[Tensor], sequence: bool) -> Tensor:
    """Spikes by ``order="fire_first"``: those of ``"integrate_first"``, one step later."""
    first = neuron.fire(neuron.level(*initial)).to(spikes.dtype)
    if not sequence:
        return as_dense_spikes(first) if isinstance(spikes, DenseSpikes) else first
    if not len(spikes):
        return spikes
    first = first.unsqueeze(0)
    if isinstance(spikes, SpikeTensor):
        first = pack_if_binary(first, len(spikes.features))
    return torch.cat([first, spikes[:-1]])


def refusal(neuron: Any, current: Tensor, numbers: list[Tensor]) -> str | None:
    """Why no kernel runs a call, or None if one does."""
    if not neuron.NAME:
        return f"{type(neuron).__name__} has no native form"
    reason = firing_refusal(neuron)
    if reason is not None:
        return reason
    if neuron.inhibition:
        return "inhibition couples the neurons of a layer"
    if neuron.state_quant:
        return "state_quant is a function that only torch can call"
    if not neuron.detach_reset:
        return "the gradient of the reset is torch's (detach_reset=False)"
    if neuron.fire_at != "gt":
        return "native kernels fire above the threshold, not at it (fire_at='ge')"
    if neuron.spike_range != (0, 1):
        return f"native spikes are 0 or 1, not from {neuron.spike_range}"
    return route.refusal(current, numbers)


def _expect_one_device(neuron: Any, current: Tensor, initial: list[Tensor]) -> None:
    """Names what torch would find on another device than the input.

    Raises:
        ValueError: for a parameter or a state there.
    """
    states = zip(neuron.STATES, initial, strict=True)
    numbers = (*neuron.named_parameters(), *neuron.named_buffers(), *states)
    expect_one_device(current, "input_", numbers)


def kind_of(neuron: Any) -> Kind:
    """What the kernel of a neuron computes."""
    surrogate: Any = neuron.spike_grad
    reset = neuron.reset_mechanism, not neuron.reset_delay
    return Kind(neuron.NAME, *reset, surrogate.NAME, surrogate.parameters)


def run_native(
    neuron: Any,
    current: Tensor,
    numbers: list[Tensor],
    initial: list[Tensor],
    sequence: bool,
    states: bool,
) -> Run:
    """A call that runs in the native module."""
    bits = spikes_are_bits(neuron)
    step_of_bits = bits and not sequence and current.dtype is torch.float32
    watched = route.is_watched()
    spikes, *results = run_layer(
        Call(
            kind_of(neuron),
            sequence,
            states,
            len(numbers),
            packed=bits and sequence,
            spikes=DenseSpikes if step_of_bits and not watched else Tensor,
            channels_last=not watched and is_channels_last(current, sequence),
        ),
        floats([current, *numbers, *initial]),
    )
    count = len(initial)
    if current.dtype is not torch.float32:
        spikes = spikes.to(current.dtype)
    return Run(spikes, tuple(results[:-count]), tuple(results[-count:]))


def run_reference(
    neuron: Any, current: Tensor, initial: list[Tensor], sequence: bool, states: bool
) -> Run:
    """A call that runs in torch: its ``step``, again and again."""
    dtype = current.dtype
    if dtype in (torch.bfloat16, torch.float16):
        current = current.float()
    last: tuple[Tensor, ...] = tuple(initial)
    if not sequence:
        spikes, last = neuron.step(current, *last)
        return Run(spikes.to(dtype), (), last)
    trains, history = [], []
    for x in current.unbind(0):
        spikes, last = neuron.step(x, *last)
        trains.append(spikes)
        history.append(last)
    if not trains:
        # A neuron may change the shape, as SLSTM does: an empty step tells into which.
        with torch.no_grad():
            one, _ = neuron.step(current.new_zeros(current.shape[1:]), *last)
        none = tuple(x.new_zeros(0, *x.shape) for x in initial if states)
        return Run(one.new_zeros(0, *one.shape, dtype=dtype), none, last)
    all_steps = tuple(torch.stack(steps) for steps in zip(*history, strict=True)) if states else ()
    return Run(torch.stack(trains).to(dtype), all_steps, last)
