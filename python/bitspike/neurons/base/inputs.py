"""What a neuron is called with: its input, and the states before it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.spikes.dense import DenseSpikes
from bitspike.spikes.tensor import SpikeTensor
from bitspike.state import is_alive, savable


def current_of(input_: Any, sequence: bool, device: torch.device) -> Tensor:
    """The input as a dense floating-point tensor.

    Args:
        input_: The argument of a call.
        sequence: Whether it must have an axis of time.
        device: Of what is no tensor.

    Raises:
        ValueError: for a number in the place of a sequence.
        TypeError: for complex input.
    """
    if not isinstance(input_, Tensor) and hasattr(input_, "__torch_function__"):
        # brevitas returns objects that implement it without being tensors; torch.positive turns
        # them into one.
        input_ = torch.positive(input_)
    current = input_ if isinstance(input_, Tensor) else torch.as_tensor(input_, device=device)
    if isinstance(current, SpikeTensor):
        # A multiplication unpacks so that autograd records it, which dense() does not.
        current = current * 1
    elif isinstance(current, DenseSpikes):
        # Used as a current it is an ordinary tensor, without the type of spikes.
        current = current.as_subclass(Tensor)
    ordinary = current.dtype is torch.float32 and current.layout is torch.strided
    inference = not torch.compiler.is_compiling() and current.is_inference()
    if not ordinary or current.is_nested or inference:
        current = as_tensor(current, "input_")
        if not current.is_floating_point():
            current = current.to(torch.get_default_dtype())
    if sequence and current.dim() == 0:
        raise ValueError("input_ must be a sequence [T, B, *], not a number")
    return current


def states_before(
    neuron: Any, current: Tensor, given: tuple[Tensor | None, ...], sequence: bool
) -> list[Tensor]:
    """The states before a call: those given, or stored ones that fit, or at rest.

    Raises:
        ValueError: for a state of another shape or on another device.
    """
    step = current.shape[1:] if sequence else current.shape
    half = current.dtype in (torch.bfloat16, torch.float16)
    reuse = neuron.init_hidden or not sequence
    initial = []
    shapes = zip(neuron.STATES, given, neuron._kept(), neuron.state_shapes(step), strict=True)
    for i, (name, state, kept, shape) in enumerate(shapes):
        if state is not None:
            state = _given(neuron, name, state, current)
        elif reuse and is_alive(kept):
            state = kept
        if state is not None and not isinstance(state, Tensor):
            state = torch.as_tensor(state, dtype=current.dtype, device=current.device)
        if state is None or state.shape != shape:
            if sequence and state is not None and state.numel() and not neuron.init_hidden:
                raise ValueError(
                    f"{name} has shape {tuple(state.shape)}, but this input needs {tuple(shape)}"
                )
            dtype = torch.float32 if half else current.dtype
            state = neuron._first(i, shape, dtype, current.device)
        initial.append(savable(state))
    return initial


def _given(neuron: Any, name: str, state: Any, current: Tensor) -> Any:
    """A state that was passed, copied if its owner may overwrite it before backward.

    What the neuron itself has returned, and what is not a tensor, is not copied.
    """
    compiled = torch.compiler.is_compiling()  # Dynamo warns where a kept state has a graph
    if not isinstance(state, Tensor) or not compiled and state is getattr(neuron, name):
        return state
    if not (state.is_floating_point() or state.is_complex() or state.is_quantized):
        # Weights are cast to the dtype of the state, and integers would truncate them.
        state = state.to(torch.promote_types(current.dtype, torch.float32))
    if compiled:
        return state
    if isinstance(state, SpikeTensor):
        return state * 1
    state = as_tensor(state, name)
    if not (state.is_cpu and current.is_cpu) and state.device != current.device:
        raise ValueError(f"{name} is on {state.device}, but input_ on {current.device}")
    return state.clone() if torch.is_grad_enabled() else state
