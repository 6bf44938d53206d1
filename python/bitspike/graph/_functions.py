"""Which torch functions a graph can hold, and what stands for those that write."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from .values import Node, leaves, tensors_of

ABOUT = frozenset(
    """__len__ shape size dim ndim ndimension numel nelement dtype device layout
    stride is_contiguous is_floating_point is_complex is_signed is_cpu is_cuda is_meta is_mps is_xpu
    is_sparse is_sparse_csr is_quantized is_mkldnn is_nested itemsize element_size nbytes names
    result_type can_cast promote_types is_tensor storage_offset is_inference get_device type
    is_conj is_neg is_same_size is_pinned is_shared has_names _version _is_view""".split()
)
"""What is known of a tensor without its numbers."""

_SHAPED_BY_NUMBERS = frozenset(
    "nonzero argwhere masked_select unique unique_consecutive bincount repeat_interleave".split()
)
_BEHIND = frozenset("backward grad requires_grad grad_fn is_leaf register_hook".split())

_OUT_OF_PLACE = {
    f"__i{name}__": f"__{name}__"
    for name in "add sub mul truediv floordiv mod pow and or xor".split()
} | {
    f"{name}_": name
    for name in """add sub subtract mul multiply div divide clamp clamp_min clamp_max neg sigmoid
    tanh exp pow sqrt abs masked_fill relu""".split()
}
_CONSTANT = {"zero_": torch.zeros_like, "fill_": torch.full_like}


_RANDOM = re.compile(
    r"rand|randn|randint|randperm|normal|bernoulli|poisson|multinomial|binomial|rrelu|gumbel|"
    r"(rand|randn|randint)_like|.*dropout.*"
)
"""Names of functions that may draw random numbers, from whatever generator."""


def draws(node: Node) -> bool:
    """Whether a call may draw from another generator than torch's for the CPU."""
    options = list(leaves((node.args, node.kwargs)))
    if isinstance(node.module, torch.nn.modules.dropout._DropoutNd):
        return node.module.training and not node.on_cpu
    own = any(isinstance(x, torch.Generator) for x in options)
    return (own or not node.on_cpu) and _RANDOM.fullmatch(node.name) is not None


def name_of(function: Any) -> str:
    """What torch calls a function; for a property its name."""
    name = str(getattr(function, "__name__", function))
    return str(function.__self__.__name__) if name in ("__get__", "__set__") else name


def refusal(function: Any, args: tuple[Any, ...]) -> str:
    """Why a graph cannot hold a call of a function, or nothing if it can."""
    name = name_of(function)
    if name in _SHAPED_BY_NUMBERS or (name == "__getitem__" and _has_mask(args[1])):
        return f"the shape of what {name.strip('_')} returns depends on the numbers of a tensor"
    if getattr(function, "__name__", "") == "__set__":
        return f"the attribute {name} of a tensor is set"
    if name.endswith("_") and not name.endswith("__"):
        return f"{name} writes into a tensor; take the function that returns a new one"
    if name in _BEHIND:
        return f"{name} belongs behind the captured program, not inside"
    return ""


def _has_mask(index: Any) -> bool:
    return any(x.dtype in (torch.bool, torch.uint8) for x in tensors_of(index))


def out_of_place(function: Any) -> Callable[..., Tensor] | None:
    """What computes, as a new tensor, what a function leaves in the tensor that it writes.

    None if it is not known to write, or what it writes is unknown.
    """
    name = name_of(function)
    if name == "__setitem__":
        return with_entry
    if name in _CONSTANT:
        return cast("Callable[..., Tensor]", _CONSTANT[name])
    twin = getattr(Tensor, _OUT_OF_PLACE.get(name, ""), None)
    return cast("Callable[..., Tensor] | None", twin)


def with_entry(x: Tensor, index: Any, value: Any) -> Tensor:
    """A copy of a tensor in which ``x[index]`` is ``value``."""
    copied = x.clone()
    copied[index] = value
    return copied
