"""A layer of neurons over a sequence, or over one step: allocation and the native calls.

A current is ``[T, B, *features]`` or ``[T, *features]`` if it is a sequence, else one step of any
shape. Parameters, the threshold and the graded factor broadcast against one step.
"""

from __future__ import annotations

import torch
from torch import Size, Tensor

from bitspike import _native

from . import _buffer
from .spikes import words


def features(current: Size) -> Size:
    """The axes of a sequence ``[T, B, *features]`` or ``[T, *features]`` that are neurons."""
    return current[2:] if len(current) > 2 else current[1:]


class Geometry:
    """Which axes of a current are time, samples and neurons."""

    def __init__(self, current: Size, sequence: bool, constants: list[Tensor]) -> None:
        """Reads the axes off the shape of the current."""
        self.step = current[1:] if sequence else current
        self.steps = current[0] if sequence else 1
        # Without parameters of their own, the neurons of a single step are one long row: no tails.
        own = sequence or any(x.numel() != 1 for x in constants)
        self.batched = len(self.step) > 1 and own
        self.samples = self.step[0] if self.batched else 1
        self.features = self.step[1:] if self.batched else self.step
        self.neurons = self.features.numel()

    def packed(self) -> tuple[int, ...]:
        """The shape of the words of all spikes."""
        rows = (self.steps, self.samples) if self.batched else (self.steps,)
        return (*rows, words(self.neurons))

    def spread(self, x: Tensor) -> Tensor:
        """A constant in a layout that the native module reads: one value, ``[N]`` or ``[B, N]``."""
        if x.numel() == 1:
            return x
        if not self.batched:
            return x.expand(self.step).contiguous()
        if x.dim() == len(self.step):
            if x.shape[0] != 1:
                return x.expand(self.step).contiguous()
            x = x[0]
        return x.expand(self.features).contiguous()

    @staticmethod
    def gather(grad: Tensor, x: Tensor) -> Tensor:
        """The gradient of a constant, from that of its spread form."""
        if x.numel() == 1:
            return grad.reshape(x.shape)
        # What it repeats over features, a channel say, the native module has not summed.
        axes = (1,) * (x.dim() - grad.dim())
        return grad.reshape(*axes, *grad.shape).sum_to_size(x.shape)


class Arguments:
    """A layer as the native module takes it, with the tensors that hold its memory."""

    def __init__(
        self,
        neuron: str,
        mechanism: str,
        immediate: bool,
        sequence: bool,
        current: Tensor,
        constants: list[Tensor],
        initial: list[Tensor],
    ) -> None:
        """Describes the layer of a call to :func:`forward`."""
        self.geometry = geometry = Geometry(current.shape, sequence, constants)
        self.sequence = sequence
        self.constants = [geometry.spread(x) for x in constants]
        self.held: list[Tensor] = []
        *parameters, threshold, graded_factor = [self.constant_view(x) for x in self.constants]
        self.arguments = (
            neuron,
            mechanism,
            immediate,
            (geometry.steps, geometry.samples, geometry.neurons),
            self.sequence_view(current),
            parameters,
            threshold,
            graded_factor,
            [self.step_view(x) for x in initial],
        )

    def constant_view(self, x: Tensor) -> _buffer.View:
        """A view of a constant in its spread form."""
        if x.numel() == 1:
            return _buffer.constant_view(x)
        return _buffer.row_view(x, self.geometry.neurons)

    def sequence_view(self, x: Tensor | None) -> _buffer.View:
        """A view of a tensor shaped like the current; None is 0 everywhere."""
        return self._view(x, self.sequence)

    def step_view(self, x: Tensor | None) -> _buffer.View:
        """A view of a tensor shaped like one step; None is 0 everywhere."""
        return self._view(x, False)

    def _view(self, x: Tensor | None, has_time: bool) -> _buffer.View:
        if x is None:
            return _buffer.constant_view(_ZERO)
        geometry = self.geometry
        if x.is_contiguous():
            time = geometry.samples * geometry.neurons if has_time else 0
            return _buffer.contiguous_view(x, time, geometry.neurons)
        x, view = _buffer.strided_view(x if has_time else x.unsqueeze(0), geometry.batched)
        self.held.append(x)
        return view


_ZERO = torch.zeros(())


def forward(
    neuron: str,
    mechanism: str,
    immediate: bool,
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
        sequence: Whether the first axis of ``current`` is time.
        packed: Whether spikes are returned as words instead of numbers.
        states: Whether the states of all steps are returned.
        current: The input, float32.
        constants: The neuron's parameters, the threshold and the graded factor, float32.
        initial: Per state, its value before the first step: shaped like one step, float32.

    Returns:
        The spikes, then, if asked for, each state over all steps, then each state after the last.
    """
    layer = Arguments(neuron, mechanism, immediate, sequence, current, constants, initial)
    if packed:
        spikes = _buffer.empty(layer.geometry.packed(), torch.int64)
    else:
        spikes = _buffer.empty(current.shape)
    all_steps = [_buffer.empty(current.shape) for _ in initial] if states else []
    last = [_buffer.empty(layer.geometry.step) for _ in initial]
    _native.sequence_forward(
        layer.arguments,
        _buffer.buffer(spikes) if packed else None,
        None if packed else _buffer.buffer(spikes),
        [_buffer.buffer(x) for x in all_steps] if states else [None] * len(initial),
        [_buffer.buffer(x) for x in last],
    )
    return [spikes, *all_steps, *last]


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
    constants: list[Tensor],
    initial: list[Tensor],
    grad_spikes: Tensor | None,
    grad_states: list[Tensor | None],
    grad_last: list[Tensor | None],
) -> list[Tensor]:
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
        shape; an empty tensor stands for one that is not wanted.
    """
    layer = Arguments(neuron, mechanism, immediate, sequence, current, constants, initial)
    step = layer.geometry.step
    to_current = _buffer.empty(current.shape) if need_current else torch.empty(0)
    to_initial = [_buffer.empty(step) if need_initial else torch.empty(0) for _ in initial]
    to_constants = [
        torch.empty_like(x) if need_constants else torch.empty(0) for x in layer.constants
    ]
    learned = None
    if need_constants:
        *parameters, threshold, graded_factor = [_buffer.buffer(x) for x in to_constants]
        learned = (parameters, threshold, graded_factor)
    _native.sequence_backward(
        layer.arguments,
        (surrogate, surrogate_parameters),
        layer.sequence_view(grad_spikes),
        [layer.sequence_view(x) for x in grad_states],
        [layer.step_view(x) for x in grad_last],
        _buffer.buffer(to_current) if need_current else None,
        [_buffer.buffer(x) if need_initial else None for x in to_initial],
        learned,
    )
    if need_constants:
        pairs = zip(to_constants, constants, strict=True)
        to_constants = [layer.geometry.gather(grad, x) for grad, x in pairs]
    return [to_current, *to_initial, *to_constants]
