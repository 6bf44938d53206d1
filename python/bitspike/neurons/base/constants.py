"""The numbers of a neuron's equation, as buffers or parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from bitspike import surrogate
from bitspike.arguments import as_tensor
from bitspike.spikes.tensor import SpikeTensor

from .overridden import overridden_by, overridden_by_class


class Constants(nn.Module):
    """A module that fires: it has a threshold, and what a spike counts."""

    spike_grad: Callable[[Tensor], Tensor]
    threshold: Tensor
    graded_spikes_factor: Tensor

    _overridden: ClassVar[str | None] = None
    """A method of the class that kernels stand in for, and that is not the library's own."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls._overridden = overridden_by_class(cls)

    def fire(self, mem: Tensor) -> Tensor:
        """Spikes where the membrane is above threshold, times the graded factor."""
        return self.spike_grad(mem - self.threshold) * self.graded_spikes_factor

    def _constant(self, name: str, value: float | Tensor, learn: bool) -> None:
        """Registers a number of the equation, as a parameter if it is learned."""
        tensor = number(value, name)
        if not tensor.is_floating_point():
            tensor = tensor.to(torch.get_default_dtype())
        if learn:
            setattr(self, name, nn.Parameter(tensor))
        else:
            self.register_buffer(name, tensor)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        self._note_unit_spikes()

    def _note_unit_spikes(self) -> None:
        """Remembers, for code that cannot look, whether a spike counts exactly 1."""
        factor = self.graded_spikes_factor
        fixed = not factor.requires_grad and may_be_read(factor)
        self._unit_spikes = fixed and bool((factor == 1).all())

    def _spikes_are_bits(self) -> bool:
        factor = self.graded_spikes_factor
        if not may_be_read(factor):
            return self._unit_spikes
        return not factor.requires_grad and factor.numel() == 1 and factor.item() == 1

    def _override_refusal(self) -> str | None:
        """Which method of its user's own keeps this neuron in torch, or None if there is none."""
        overridden = self._overridden or overridden_by(self)
        if overridden is None:
            return None
        return f"{type(self).__name__} overrides {overridden}, which the kernel does not call"

    def _surrogate_refusal(self) -> str | None:
        """Why kernels cannot fire with this surrogate, or None if they can."""
        if not isinstance(self.spike_grad, surrogate.Surrogate):
            return "spike_grad is a function that only torch can call"
        if not self.spike_grad.is_native():
            return f"{self.spike_grad} has no native form"
        return None


def number(value: float | Tensor, name: str) -> Tensor:
    """A number of an equation, in torch's default dtype if it has no axes.

    A NumPy scalar is float64 whether or not its user thought of it. In PyTorch an operand without
    axes follows the tensor that it meets, so it counts what a number of Python's counts. One that
    is learned elsewhere stays the tensor that it is.
    """
    tensor = as_tensor(value, name)
    if isinstance(tensor, SpikeTensor):
        tensor = tensor.dense()
    learned = tensor.requires_grad or isinstance(tensor, nn.Parameter)
    if tensor.dim() == 0 and tensor.is_floating_point() and not learned:
        return tensor.to(torch.get_default_dtype())
    return tensor


def may_be_read(x: Tensor) -> bool:
    """Whether there are numbers in a tensor that Python may see: not in compiled code, say.

    Meta tensors have none, and nothing has where fake tensors are in force.
    """
    if torch.compiler.is_compiling() or x.is_meta:
        return False
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is None
