"""A layer of neurons over a sequence, or over one step: allocation and the native calls.

A current is ``[T, B, *features]`` or ``[T, *features]`` if it is a sequence, else one step of any
shape. Parameters, the threshold and the graded factor broadcast against one step; one value may
also be a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Size, Tensor

from . import _native, buffer
from .call import Call
from .route import routed
from .spikes import words

Constant = Tensor | float
"""A number of the equation, or one for each neuron."""


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
        own = sequence or any(isinstance(x, Tensor) and x.numel() != 1 for x in constants)
        self.batched = len(self.step) > 1 and own
        self.samples = self.step[0] if self.batched else 1
        self.features = self.step[1:] if self.batched else self.step
        self.neurons = self.features.numel()

    def packed(self) -> tuple[int, ...]:
        """The shape of the words of all spikes."""
        rows = (self.steps, self.samples) if self.batched else (self.steps,)
        return (*rows, words(self.neurons))

    def spread(self, x: Constant) -> Constant:
        """A constant in a layout that the native module reads: a number, ``[N]`` or ``[B, N]``."""
        if isinstance(x, float):
            return x
        if x.numel() == 1:
            return x.item()
        if not self.batched:
            return x.expand(self.step).contiguous()
        if x.dim() == len(self.step):
            if x.shape[0] != 1:
                return x.expand(self.step).contiguous()
            x = x[0]
        return x.expand(self.features).contiguous()

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


def like_constant(x: Constant) -> Tensor:
    """Memory for the gradient of a constant, in its spread form."""
    return buffer.empty(()) if isinstance(x, float) else buffer.empty_like(x)


class Layer:
    """A layer as the native module takes it."""

    def __init__(
        self,
        neuron: str,
        mechanism: str,
        immediate: bool,
        sequence: bool,
        current: Tensor,
        constants: Sequence[Constant],
        initial: list[Tensor],
    ) -> None:
        """Describes the layer of a call to :func:`forward`."""
        self.geometry = geometry = Geometry(current.shape, sequence, constants)
        self.constants = [geometry.spread(x) for x in constants]
        *parameters, threshold, graded_factor = self.constants
        self.arguments = (
            neuron,
            mechanism,
            immediate,
            (geometry.steps, geometry.samples, geometry.neurons),
            (sequence, geometry.batched),
            current,
            parameters,
            threshold,
            graded_factor,
            initial,
        )


@routed(8)
def forward(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence: bool,
    packed: bool,
    states: bool,
    current: Tensor,
    constants: list[Tensor],
    initial: list[Tensor],
) -> list[Tensor]:
    """Runs a layer.

    Args:
        neuron: Its name in the registry.
        mechanism: The name of its reset.
        immediate: Whether the reset acts within the step that fires.
        surrogate: The name of the surrogate, for the operator's gradient alone.
        surrogate_parameters: Its parameters, likewise.
        sequence: Whether the first axis of ``current`` is time.
        packed: Whether spikes are returned as words instead of numbers.
        states: Whether the states of all steps are returned.
        current: The input, float32.
        constants: The neuron's parameters, the threshold and the graded factor, float32.
        initial: Per state, its value before the first step: shaped like one step, float32.

    Returns:
        The spikes, then, if asked for, each state over all steps, then each state after the last.
    """
    layer = Layer(neuron, mechanism, immediate, sequence, current, constants, initial)
    if packed:
        spikes = buffer.empty(layer.geometry.packed(), torch.int64)
    else:
        spikes = buffer.empty_like(current)
    all_steps = [buffer.empty_like(current) for _ in initial] if states else []
    last = [buffer.empty_like(x) for x in initial]
    _native.sequence_forward(
        layer.arguments,
        spikes if packed else None,
        None if packed else spikes,
        all_steps if states else [None] * len(initial),
        last,
    )
    return [spikes, *all_steps, *last]


@routed(9)
def backward(
    neuron: str,
    mechanism: str,
    immediate: bool,
    surrogate: str,
    surrogate_parameters: list[float],
    sequence: bool,
    need_current: bool,
    need_initial: bool,
    need_constants: bool,
    current: Tensor,
    constants: Sequence[Constant],
    initial: list[Tensor],
    grad_spikes: Tensor | None,
    grad_states: list[Tensor | None],
    grad_last: list[Tensor | None],
) -> list[Tensor | None]:
    """Sends gradients back through a layer.

    Args:
        neuron: As in :func:`forward`, and so are the following.
        mechanism: The name of the reset.
        immediate: Whether it acts within the step that fires.
        sequence: Whether the first axis of ``current`` is time.
        current: The input.
        constants: The neuron's parameters, the threshold and the graded factor.
        initial: Per state, its value before the first step.
        surrogate: The name of the surrogate.
        surrogate_parameters: Its parameters.
        need_current: Whether the gradient of the current is wanted.
        need_initial: Whether those of the initial states are wanted.
        need_constants: Whether those of the constants are wanted.
        grad_spikes: Gradient of the spikes, float32, any strides.
        grad_states: Per state, the gradient of its sequence.
        grad_last: Per state, the gradient of its last value.

    Returns:
        Gradients of the current, of each initial state and of each constant, in the constant's own
        shape; None for one that is not wanted, of which the operator makes an empty tensor.
    """
    layer = Layer(neuron, mechanism, immediate, sequence, current, constants, initial)
    to_current = buffer.empty_like(current) if need_current else None
    to_initial = [buffer.empty_like(x) if need_initial else None for x in initial]
    to_constants: list[Tensor] = []
    learned = None
    if need_constants:
        to_constants = [like_constant(x) for x in layer.constants]
        *parameters, threshold, graded_factor = to_constants
        learned = (parameters, threshold, graded_factor)
    _native.sequence_backward(
        layer.arguments,
        (surrogate, surrogate_parameters),
        grad_spikes,
        grad_states,
        grad_last,
        to_current,
        to_initial,
        learned,
    )
    pairs = zip(to_constants, constants, strict=need_constants)
    gathered = [layer.geometry.gather(grad, x) for grad, x in pairs]
    unwanted = [None] * len(constants)
    return [to_current, *to_initial, *(gathered if need_constants else unwanted)]


def gradients(
    call: Call,
    values: Sequence[Any],
    need: tuple[bool, bool, bool],
    grads: Iterable[Tensor | None],
) -> tuple[Tensor | None, list[Tensor | None], list[Tensor | None]]:
    """Gradients of the current, the constants and the initial states of a layer, or None.

    Args:
        call: What ran.
        values: What it saved: current, constants and initial states.
        need: Whether gradients of the current, of initial states and of constants are wanted.
        grads: Of what forward returned.
    """
    current, *others = values
    constants, initial = others[: call.constants], others[call.constants :]
    spikes, *to_states = grads
    count = len(initial)
    to_current, *results = backward(
        *call.kind,
        call.sequence,
        *need,
        current,
        constants,
        initial,
        spikes,
        to_states[:count] if call.states else [None] * count,
        to_states[-count:],
    )
    return to_current, results[count:], results[:count]
