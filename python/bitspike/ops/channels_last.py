"""Layers of neurons in torch's ``channels_last`` memory, as convolutions leave their results.

Neurons do not see each other, so the order in which they lie is all the same to them: such a layer
runs as one of ``[*size, C]`` instead of ``[C, *size]`` neurons, on the memory as it lies, and its
results lie likewise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .call import Call, Constant, Inputs, OutputGradients


def is_channels_last(current: Tensor, sequence: bool) -> bool:
    """Whether the channels of ``[T, B, C, *size]``, or of one step, lie last."""
    channel = _channel(sequence)
    if current.is_contiguous() or current.dim() < channel + 2:
        return False
    return current.movedim(channel, -1).is_contiguous()


def _channel(sequence: bool) -> int:
    return 2 if sequence else 1


def moved(call: Call, inputs: Inputs) -> Inputs:
    """What a layer reads, the axis of channels last."""
    channel = _channel(call.sequence)
    features = inputs.current.dim() - channel
    return Inputs(
        inputs.current.movedim(channel, -1),
        [_moved_constant(x, features) for x in inputs.constants],
        [x.movedim(1, -1) for x in inputs.initial],
    )


def _moved_constant(x: Constant, features: int) -> Constant:
    if isinstance(x, float) or x.numel() == 1:
        return x
    missing = max(features - x.dim(), 0)
    x = x[(None,) * missing]
    return x.movedim(x.dim() - features, -1)


def moved_gradients(call: Call, grads: OutputGradients) -> OutputGradients:
    """The gradients of what a layer returned, the axis of channels last."""
    channel = _channel(call.sequence)

    def move(x: Tensor | None, axis: int) -> Tensor | None:
        return None if x is None else x.movedim(axis, -1)

    return OutputGradients(
        move(grads.spikes, channel),
        [move(x, channel) for x in grads.states],
        [move(x, 1) for x in grads.last],
    )


def gradients_in_place(
    call: Call, inputs: Inputs, grads: list[Tensor | None]
) -> list[Tensor | None]:
    """The gradients of the current, initial states and constants, for those of the moved layer."""
    channel, count = _channel(call.sequence), len(inputs.initial)
    to_current, *others = grads
    features = inputs.current.dim() - channel
    pairs = zip(others[count:], inputs.constants, strict=True)
    return [
        None if to_current is None else to_current.movedim(-1, channel),
        *(None if x is None else x.movedim(-1, 1) for x in others[:count]),
        *(_constant_gradient(grad, x, features) for grad, x in pairs),
    ]


def _constant_gradient(grad: Tensor | None, x: Constant, features: int) -> Tensor | None:
    if grad is None or isinstance(x, float) or x.numel() == 1:
        return grad
    axis = max(x.dim() - features, 0)
    return grad.movedim(-1, axis).reshape(x.shape)


def in_place(call: Call, results: list[Tensor]) -> list[Tensor]:
    """The results of a moved layer, their channels where those of the current are."""
    spikes, *states = results
    channel = _channel(call.sequence)
    if not call.packed:
        spikes = _in_place(spikes, channel)
    steps = len(states) // 2 if call.states else 0
    of_steps = [_in_place(x, channel) for x in states[:steps]]
    return [spikes, *of_steps, *(_in_place(x, 1) for x in states[steps:])]


def _in_place(x: Tensor, channel: int) -> Tensor:
    """The same memory as a tensor of its own: autograd forbids to write to a function's views."""
    view = x.movedim(-1, channel)
    own = torch.empty(0, dtype=x.dtype, device=x.device)
    return own.set_(x.untyped_storage(), x.storage_offset(), view.shape, view.stride())
