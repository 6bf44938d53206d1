"""The numbers of a neuron's equation, as buffers or parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bitspike import surrogate
from bitspike.arguments import as_tensor
from bitspike.spikes.tensor import SpikeTensor
from bitspike.state import broadcasts

from .overridden import overridden_by


def register(module: nn.Module, name: str, value: float | Tensor, learn: bool) -> None:
    """Registers a number of the equation, as a parameter if it is learned."""
    tensor = number(value, name)
    if not tensor.is_floating_point():
        tensor = tensor.to(torch.get_default_dtype())
    if learn:
        setattr(module, name, nn.Parameter(tensor))
    else:
        module.register_buffer(name, tensor)


def held(module: nn.Module, name: str) -> Tensor:
    """A buffer or parameter, by the shortest way: ``nn.Module.__getattr__`` takes 8 times longer.

    What a parametrisation, or a class of the user, has put in its place is found as usual.
    """
    found = module._buffers.get(name)
    if found is None:
        found = module._parameters.get(name)
    return getattr(module, name) if found is None else found


def number(value: float | Tensor, name: str) -> Tensor:
    """A number of an equation as a tensor, in torch's default dtype if it has no axes.

    NumPy scalars are float64 without their user's choice. In PyTorch an operand without axes takes
    the dtype of the other operand, as a Python number does, so its own dtype does not matter. A
    tensor that is learned elsewhere is kept as it is.
    """
    tensor = as_tensor(value, name)
    if isinstance(tensor, SpikeTensor):
        tensor = tensor.dense()
    learned = tensor.requires_grad or isinstance(tensor, nn.Parameter)
    if tensor.dim() == 0 and tensor.is_floating_point() and not learned:
        return tensor.to(torch.get_default_dtype())
    return tensor


def expect_broadcast(names: Sequence[str], values: Sequence[Tensor], shape: torch.Size) -> None:
    """Checks numbers of an equation against one step's membrane.

    Raises:
        ValueError: if one does not broadcast against it.
    """
    for name, value in zip(names, values, strict=True):
        if value.numel() != 1 and not broadcasts(value.shape, shape):
            raise ValueError(
                f"{name} has shape {tuple(value.shape)}, which does not broadcast against the "
                f"membrane of one step, {tuple(shape)}"
            )


def logit(value: float | Tensor, name: str, *, closed: bool = False) -> Tensor:
    """The logit of a number of an equation, as which it is learned and stays between 0 and 1.

    Args:
        value: The number.
        name: What errors call it.
        closed: Whether it may be 0 or 1, from where no gradient moves it.

    Raises:
        ValueError: if it lies elsewhere.
    """
    x = number(value, name)
    inside = (x >= 0) & (x <= 1) if closed else (x > 0) & (x < 1)
    if may_be_read(x) and not bool(inside.all()):
        where = "from 0 to 1" if closed else "between 0 and 1"
        raise ValueError(f"{name} must be {where}, not {x}")
    return torch.logit(x).detach()


def may_be_read(x: Tensor) -> bool:
    """Whether Python may read the values of a tensor.

    Compiled code may not; meta tensors have none, nor has any tensor under a fake tensor mode.
    """
    if torch.compiler.is_compiling() or x.is_meta:
        return False
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is None


def set_firing(
    neuron: Any,
    *,
    threshold: float | Tensor,
    spike_grad: Callable[[Tensor], Tensor] | None,
    surrogate_disable: bool,
    learn_threshold: bool,
    graded_spikes_factor: float | Tensor,
    learn_graded_spikes_factor: bool,
) -> None:
    """Gives a module the surrogate, threshold and graded factor that its arguments choose."""
    if surrogate_disable:
        neuron.spike_grad = surrogate.Disabled()
    else:
        neuron.spike_grad = surrogate.atan() if spike_grad is None else spike_grad
    neuron.surrogate_disable = surrogate_disable
    register(neuron, "threshold", threshold, learn_threshold)
    register(neuron, "graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor)
    note_unit_spikes(neuron)


def note_unit_spikes(neuron: Any) -> None:
    """Stores whether the graded factor is 1, for compiled code, which cannot read a tensor."""
    factor = neuron.graded_spikes_factor
    fixed = not factor.requires_grad and may_be_read(factor)
    neuron._unit_spikes = fixed and bool((factor == 1).all())


def spikes_are_bits(neuron: Any) -> bool:
    """Whether a spike of this neuron counts exactly 1, and always will."""
    factor = held(neuron, "graded_spikes_factor")
    if not may_be_read(factor):
        unit: bool = neuron._unit_spikes
        return unit
    return not factor.requires_grad and factor.numel() == 1 and factor.item() == 1


def firing_refusal(neuron: Any) -> str | None:
    """Why kernels cannot fire as this neuron does, or None if they can."""
    overridden = neuron._overridden or overridden_by(neuron)
    if overridden is not None:
        return f"{type(neuron).__name__} overrides {overridden}, which the kernel does not call"
    if not isinstance(neuron.spike_grad, surrogate.Surrogate):
        return "spike_grad is a function that only torch can call"
    if not neuron.spike_grad.is_native():
        return f"{neuron.spike_grad} has no native form"
    return None
