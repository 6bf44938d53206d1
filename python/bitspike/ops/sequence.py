"""A layer of neurons over a sequence, or over one step: allocation and the native calls.

A current is ``[T, B, *features]`` or ``[T, *features]`` if it is a sequence, else one step of any
shape. Parameters, the threshold and the graded factor broadcast against one step; one value may
also be a number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Size, Tensor

from . import _native, buffer, channels_last
from .call import Call, Constant, Errors, Inputs, Need, OutputGradients
from .route import routed
from .spikes import words


def features(current: Size) -> Size:
    """The axes of a sequence ``[T, B, *features]`` or ``[T, *features]`` that are neurons."""
    return current[2:] if len(current) > 2 else current[1:]


class Geometry:
    """Which axes of a current are time, samples and neurons."""

    def __init__(self, current: Size, sequence: bool, constants: Sequence[Constant]) -> None:
        """Reads the axes off the shape of the current."""
        self.step = current[1:] if sequence else current
        self.steps = current[0] if sequence else 1
        # If the neurons of a single step share their constants, its samples are joined to one row,
        # which has one incomplete vector. Twin: sequence/joined.rs, for sequences.
        self.batched = len(self.step) > 1 and (sequence or _have_axes(constants))
        self.samples = self.step[0] if self.batched else 1
        self.features = self.step[1:] if self.batched else self.step
        self.neurons = self.features.numel()

    def packed(self) -> tuple[int, ...]:
        """The shape of the words of all spikes."""
        rows = (self.steps, self.samples) if self.batched else (self.steps,)
        return (*rows, words(self.neurons))

    def spread(self, x: Tensor) -> Constant:
        """A constant in a layout that the native module reads: a number, ``[N]`` or ``[B, N]``."""
        if x.numel() == 1:
            if x.dtype is not torch.float32 or not x.is_cpu:
                raise TypeError(f"a constant must be float32 on the CPU, not {x.dtype}, {x.device}")
            return x.item()
        if not self.batched:
            return x.expand(self.step).contiguous()
        if x.dim() == len(self.step):
            if x.shape[0] != 1:
                return x.expand(self.step).contiguous()
            x = x[0]
        return x.expand(self.features).contiguous()

    def spread_all(self, constants: Sequence[Constant]) -> list[Constant]:
        """The same of several."""
        return [x if isinstance(x, float) else self.spread(x) for x in constants]

    @staticmethod
    def gather(grad: Tensor, x: Constant) -> Tensor:
        """The gradient of a constant, from that of its spread form."""
        if isinstance(x, float):
            return grad
        if x.numel() == 1:
            return grad.reshape(x.shape)
        # The native module does not sum over axes that a constant repeats over, such as positions
        # of a channel.
        axes = (1,) * (x.dim() - grad.dim())
        return grad.reshape(*axes, *grad.shape).sum_to_size(x.shape)


def _have_axes(constants: Sequence[Constant]) -> bool:
    """Whether neurons of a layer may differ in a constant."""
    for x in constants:  # A generator would take half as long as the kernel of a small step.
        if not (isinstance(x, float) or x.numel() == 1):
            return True
    return False


def like_constant(x: Constant) -> Tensor:
    """Memory for the gradient of a constant, in its spread form."""
    return buffer.number() if isinstance(x, float) else buffer.empty_like(x)


class LayerArguments(NamedTuple):
    """A layer as the native module takes it, which knows these by their order."""

    neuron: str
    mechanism: str
    immediate: bool
    shape: tuple[int, int, int]
    """Steps, samples and neurons."""
    axes: tuple[bool, bool]
    """Whether the current has an axis of time, and one of samples."""
    current: Tensor
    parameters: list[Constant]
    threshold: Constant
    graded_factor: Constant
    initial: list[Tensor]

    @classmethod
    def of(
        cls,
        call: Call,
        current: Tensor,
        constants: Sequence[Constant],
        initial: list[Tensor],
        *,
        shape: tuple[int, int, int],
        axes: tuple[bool, bool],
    ) -> LayerArguments:
        """Those of a call whose constants are in the layout of the native module."""
        *parameters, threshold, graded_factor = constants
        return cls(
            *call.kind[:3],
            shape=shape,
            axes=axes,
            current=current,
            parameters=parameters,
            threshold=threshold,
            graded_factor=graded_factor,
            initial=initial,
        )


class Layer:
    """A layer with its constants in the layout of the native module."""

    def __init__(self, call: Call, inputs: Inputs) -> None:
        """Describes the layer of a call to :func:`forward`."""
        current, constants, initial = inputs
        self.geometry = geometry = Geometry(current.shape, call.sequence, constants)
        self.constants = geometry.spread_all(constants)
        self.arguments = LayerArguments.of(
            call,
            current,
            self.constants,
            initial,
            shape=(geometry.steps, geometry.samples, geometry.neurons),
            axes=(call.sequence, geometry.batched),
        )


def _flat_forward(call: Call, inputs: Inputs) -> tuple[Any, ...]:
    return (*call.kind, call.sequence, call.packed, call.states, *inputs)


@routed(1, _flat_forward)
def forward(call: Call, inputs: Inputs) -> list[Tensor]:
    """Runs a layer.

    Returns:
        The spikes, then, if asked for, each state over all steps, then each state after the last.
    """
    if call.channels_last:
        plain = call._replace(channels_last=False)
        moved = forward.kernel(plain, channels_last.moved(call, inputs))
        return channels_last.in_place(call, moved)
    layer = Layer(call, inputs)
    current, _, initial = inputs
    if call.packed:
        spikes = buffer.empty(layer.geometry.packed(), torch.int64)
    else:
        spikes = buffer.empty_like(current)
    all_steps = [buffer.empty_like(current) for _ in initial] if call.states else []
    last = [buffer.empty_like(x) for x in initial]
    _native.sequence_forward(
        layer.arguments,
        packed=spikes if call.packed else None,
        dense=None if call.packed else spikes,
        states=all_steps if call.states else [None] * len(initial),
        last=last,
    )
    return [spikes, *all_steps, *last]


def _flat_backward(
    call: Call, inputs: Inputs, grads: OutputGradients, need: Need
) -> tuple[Any, ...]:
    return (*call.kind, call.sequence, *need, *inputs, *grads)


@routed(1, _flat_backward)
def backward(call: Call, inputs: Inputs, grads: OutputGradients, need: Need) -> list[Tensor | None]:
    """Sends gradients back through a layer.

    Args:
        call: As in :func:`forward`; whether spikes or states were wanted does not matter.
        inputs: Likewise.
        grads: Of what :func:`forward` returned.
        need: Which gradients are wanted.

    Returns:
        Gradients of the current, of each initial state and of each constant, in the constant's own
        shape; None for one that is not wanted, of which the operator makes an empty tensor.
    """
    if call.channels_last:
        plain = call._replace(channels_last=False)
        moved = channels_last.moved_gradients(call, grads)
        results = backward.kernel(plain, channels_last.moved(call, inputs), moved, need)
        return channels_last.gradients_in_place(call, inputs, results)
    layer = Layer(call, inputs)
    return _backward(layer, call, inputs, grads=grads, need=need, errors=None)


def backward_with_errors(
    call: Call, inputs: Inputs, grads: OutputGradients, need: Need, *, few: bool = False
) -> tuple[list[Tensor | None], Errors | None]:
    """As :func:`backward`, with the errors that its gradient of the current is made of.

    They are those of all neurons of a sample, in the order in which these lie. There are none, but
    None, if states have gradients, if decays differ within the layer, if a reset erases membranes,
    and, unless ``few`` spikes have a gradient other than 0, if the surrogate is not compact, so
    that few errors would be 0.
    """
    if call.channels_last:
        plain = call._replace(channels_last=False)
        moved = channels_last.moved(call, inputs), channels_last.moved_gradients(call, grads)
        results, errors = backward_with_errors(plain, *moved, need, few=few)
        return channels_last.gradients_in_place(call, inputs, results), errors
    layer = Layer(call, inputs)
    errors = None
    if all(x is None for x in (*grads.states, *grads.last)):
        errors = _room_for_errors(layer, call, few)
    found = _backward(layer, call, inputs, grads=grads, need=need, errors=errors)
    return found, errors


def _room_for_errors(layer: Layer, call: Call, few: bool) -> Errors | None:
    surrogate = call.kind.surrogate, call.kind.surrogate_parameters
    decay = _native.error_decay(layer.arguments, None if few else surrogate)
    if decay is None:
        return None
    geometry = layer.geometry
    row = words(geometry.neurons)
    active = buffer.empty((geometry.steps, geometry.samples, row), torch.int64)
    values = buffer.empty((geometry.samples, row, 64 * geometry.steps))
    return Errors(active, values, decay)


def _backward(
    layer: Layer,
    call: Call,
    inputs: Inputs,
    *,
    grads: OutputGradients,
    need: Need,
    errors: Errors | None,
) -> list[Tensor | None]:
    current, constants, initial = inputs
    to_current = buffer.empty_like(current) if need.current else None
    to_initial = [buffer.empty_like(x) if need.initial else None for x in initial]
    to_constants: list[Tensor] = []
    learned = None
    if need.constants:
        to_constants = [like_constant(x) for x in layer.constants]
        *parameters, threshold, graded_factor = to_constants
        learned = (parameters, threshold, graded_factor)
    _native.sequence_backward(
        layer.arguments,
        surrogate=(call.kind.surrogate, call.kind.surrogate_parameters),
        spikes=grads.spikes,
        states=grads.states,
        last=grads.last,
        current=to_current,
        initial=to_initial,
        learned=learned,
        errors=None if errors is None else (errors.active, errors.values),
    )
    if not need.constants:
        return [to_current, *to_initial, *[None] * len(constants)]
    gather, pairs = layer.geometry.gather, zip(to_constants, constants, strict=True)
    return [to_current, *to_initial, *[gather(grad, x) for grad, x in pairs]]


def gradients(
    call: Call,
    values: Sequence[Any],
    need: Need,
    grads: Iterable[Tensor | None],
    leave: Callable[[Tensor, Errors], None] | None = None,
    *,
    traced: bool,
) -> tuple[Tensor | None, list[Tensor | None], list[Tensor | None]]:
    """Gradients of the current, the constants and the initial states of a layer, or None.

    Args:
        call: What ran.
        values: What it saved: current, constants and initial states.
        need: Which gradients are wanted.
        grads: Of what forward returned.
        leave: Is called with the gradient of the current and its errors, if it is made of errors;
            not where calls are traced.
        traced: Whether the call must be a torch operator.
    """
    inputs = of_tensors(call, values)
    is_flat = inputs.current.dim() == 3  # [T, B, N], as a linear layer leaves it
    spikes, *to_states = grads
    count = len(inputs.initial)
    states: list[Tensor | None] = to_states[:count] if call.states else [None] * count
    of_outputs = OutputGradients(spikes, states, to_states[-count:])
    if leave is None or spikes is None or not is_flat or traced:
        run = backward if traced else backward.kernel
        to_current, *results = run(call, inputs, of_outputs, need)
    else:
        (to_current, *results), errors = backward_with_errors(call, inputs, of_outputs, need)
        if to_current is not None and errors is not None:
            leave(to_current, errors)
    return to_current, results[count:], results[:count]


def of_tensors(call: Call, tensors: Sequence[Any]) -> Inputs:
    """The inputs of a call as a record: current, constants, initial states."""
    current, *others = tensors
    return Inputs(current, others[: call.constants], others[call.constants :])
