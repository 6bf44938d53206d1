"""Spikes of single steps: ordinary float tensors that ``nn.Linear`` recognises."""

from __future__ import annotations

import copy
from collections.abc import Callable
from multiprocessing.reduction import ForkingPickler
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn import functional as F

from bitspike.ops.route import (
    defers_to_other_operand,
    is_exporting,
    is_traced,
    is_transformed,
    is_watched,
)

from ._in_place import refuse_writes
from ._plain_memory import PlainMemory
from .linear import linear_of_floats
from .pack import pack_if_binary, pack_maps_if_faster, words_if_faster
from .unpacked_view import UnpackedView


class DenseSpikes(PlainMemory):
    """A float tensor that is expected to hold zeros and ones.

    Neurons and encoders return it from single steps, so that a time loop written for snnTorch
    multiplies spikes without a change: it is an ordinary tensor, may be written, sliced, stacked,
    and where ``nn.Linear``, ``nn.Conv1d`` or ``nn.Conv2d`` meets it, its values are packed and the
    product adds the weights of active inputs only. If a value is neither 0 nor 1, or too many are
    1, the product is torch's.

    Both products sum in different orders, so their last bits differ. Set ``DenseSpikes.packs =
    False`` to have torch's everywhere.

    Example:
        >>> import torch, bitspike as snn
        >>> spikes, _ = snn.Leaky(beta=0.9)(torch.tensor([0.5, 1.5]))
        >>> type(spikes).__name__, spikes + 1
        ('DenseSpikes', tensor([1., 2.]))
    """

    packs: ClassVar[bool] = True
    """Whether ``nn.Linear`` and convolutions pack these tensors."""

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError("only tensors that are leaves of the graph can be deep-copied")
        with torch._C.DisableTorchFunctionSubclass():
            copied = as_dense_spikes(copy.deepcopy(self.detach(), memo)).requires_grad_(
                self.requires_grad
            )
            copied.grad = copy.deepcopy(self.grad, memo)
        vars(copied).update(copy.deepcopy(vars(self), memo))
        return copied

    def __copy__(self) -> Tensor:
        return _respiked(self.plain())

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if defers_to_other_operand(types):
            return NotImplemented
        kwargs = kwargs or {}
        if kwargs:
            refuse_writes(func, args, kwargs, UnpackedView)
        with torch._C.DisableTorchFunctionSubclass():
            packing = _PACKING.get(func)
            if packing is not None and cls.packs and not is_watched():
                return packing(*args, **kwargs)
            result = func(*args, **kwargs)
        if func not in _STILL_SPIKES:
            return result
        if isinstance(result, Tensor):
            return as_dense_spikes(result)
        return tuple(as_dense_spikes(x) for x in result)


def _linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    words = words_if_faster(input, weight) if isinstance(input, DenseSpikes) else None
    if words is None:
        return F.linear(input, weight, bias)
    return linear_of_floats(input, words, weight, bias)


def _convolution(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def convolve(input: Tensor, weight: Tensor, *options: Any, **named: Any) -> Tensor:
        if isinstance(input, DenseSpikes):
            input = pack_maps_if_faster(input, weight)
        return function(input, weight, *options, **named)

    return convolve


_PACKING: dict[Any, Callable[..., Tensor]] = {
    F.linear: _linear,
    F.conv1d: _convolution(F.conv1d),
    F.conv2d: _convolution(F.conv2d),
}
"""Functions that are faster on bits."""


def as_dense_spikes(x: Tensor) -> Tensor:
    """The same memory as `DenseSpikes`; a fake tensor stays what it is."""
    return x if isinstance(x, FakeTensor) else x.as_subclass(DenseSpikes)


def _respiked(plain: Tensor) -> Tensor:
    """`DenseSpikes` in the memory of an ordinary leaf, and a leaf as well."""
    spikes = as_dense_spikes(plain.detach()).requires_grad_(plain.requires_grad)
    if isinstance(plain, nn.Parameter):
        spikes._is_param = True
    return spikes


def _between_processes(spikes: DenseSpikes) -> Any:
    # For a tensor that is not a leaf, torch raises an error of its own.
    return _respiked, (spikes.plain() if spikes.is_leaf else spikes.as_subclass(Tensor),)


def like_native(spikes: Tensor, sequence: bool) -> Tensor:
    """Spikes that torch computed, in the form in which native neurons return theirs.

    That is a `SpikeTensor` for a sequence ``[T, B, *]`` and `DenseSpikes` for one step, in float32
    on the CPU; whatever else there is stays as it is.
    """
    plain = not (is_traced(spikes) or is_exporting() or is_transformed())
    if not plain or not spikes.is_cpu or spikes.dtype != torch.float32:
        return spikes
    return pack_if_binary(spikes) if sequence else as_dense_spikes(spikes)


_STILL_SPIKES: frozenset[Any] = frozenset(
    getattr(owner, name)
    for owner, names in (
        (
            torch.Tensor,
            "__getitem__ clone contiguous cpu detach expand flatten float index_select permute "
            "reshape select squeeze transpose unbind unflatten unsqueeze view",
        ),
        (torch, "cat flatten index_select permute reshape select squeeze stack transpose unbind"),
    )
    for name in names.split()
)
"""Functions whose results hold no other values than their arguments."""


# Files of older versions hold the type.
torch.serialization.add_safe_globals([DenseSpikes])
# Files hold ordinary tensors, but what a DataLoader's workers send is still spikes.
ForkingPickler.register(DenseSpikes, _between_processes)
