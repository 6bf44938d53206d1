"""Ordinary tensors whose type says where their values come from."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class PlainMemory(torch.Tensor):
    """A tensor with a type that tells its origin; it prints, formats and is saved without it."""

    def plain(self) -> Tensor:
        """The same memory as an ordinary leaf of the graph, of a parameter as a parameter."""
        with torch._C.DisableTorchFunctionSubclass():
            leaf = self.detach()
            if getattr(self, "_is_param", False):
                return nn.Parameter(leaf, self.requires_grad)
            return leaf.requires_grad_(self.requires_grad)

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return repr(self.as_subclass(torch.Tensor))

    def __format__(self, spec: str) -> str:
        return format(self.as_subclass(torch.Tensor), spec)

    def __reduce_ex__(self, protocol: Any) -> Any:
        # So that files open where bitspike is not installed.
        return self.plain().__reduce_ex__(protocol)
