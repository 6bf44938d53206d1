"""The gradient of a compiled graph's spikes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only


class DenseGradient(torch.Tensor):
    """A dense gradient in a wrapper of its own type.

    AOTAutograd wants the gradient of a graph's output to be of the type that the output announced
    (``__coerce_tangent_metadata__``), and refuses a plain tensor for a wrapper subclass. So spike
    tensors announce this type, and wrap the gradient that reaches them in it.
    """

    value: Tensor

    @staticmethod
    def __new__(cls, value: Tensor) -> DenseGradient:
        """Wraps a gradient, which is shared and not copied."""
        wrapper: DenseGradient = torch.Tensor._make_wrapper_subclass(
            cls, value.shape, strides=value.stride(), dtype=value.dtype, device=value.device
        )
        wrapper.value = value
        return wrapper

    def __repr__(self) -> str:  # type: ignore[override]
        # torch's logs print it while it holds no values.
        return f"DenseGradient(shape={tuple(self.shape)})"

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        return ["value"], None

    @staticmethod
    def __tensor_unflatten__(
        inner: dict[str, Tensor], meta: None, outer_size: Any, outer_stride: Any
    ) -> DenseGradient:
        return DenseGradient(inner["value"])

    __torch_function__: Any = torch._C._disabled_torch_function_impl

    @classmethod  # which torch declares as an attribute
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        args, kwargs = tree_map_only(DenseGradient, lambda x: x.value, (args, kwargs or {}))
        return func(*args, **kwargs)


def wrap_gradient_of_compiled(x: Tensor) -> None:
    """On first eager use of a compiled graph's output, adds the hook that wraps its gradient."""
    if x.grad_fn is None or "_hook" in vars(x) or "Compiled" not in type(x.grad_fn).__name__:
        return
    vars(x)["_hook"] = x.register_hook(DenseGradient)
