"""How a native function becomes a torch operator."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from bitspike.ops import _buffer

_LIBRARY = torch.library.Library("bitspike", "DEF")
LAYER = "str neuron, str mechanism, bool immediate, str surrogate, float[] surrogate_parameters"
TENSORS = "Tensor current, Tensor[] constants, Tensor[] initial"


def operator(
    schema: str,
    function: Callable[..., Any],
    fake: Callable[..., Any],
    gradient: tuple[Callable[..., None], Callable[..., Any]] | None = None,
) -> None:
    """Defines an operator: schema, kernel, its results on fake tensors, its gradient.

    Of a kernel's list of results, an empty tensor stands for each that is None.
    """
    name = schema.partition("(")[0]
    _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    _LIBRARY.impl(name, _tensors(function) if schema.endswith("Tensor[]") else function, "CPU")
    torch.library.register_fake(f"bitspike::{name}", fake, lib=_LIBRARY)
    if gradient is not None:
        save, backward = gradient
        torch.library.register_autograd(
            f"bitspike::{name}", backward, setup_context=save, lib=_LIBRARY
        )


def _tensors(function: Callable[..., list[torch.Tensor | None]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def kernel(*arguments: Any) -> list[torch.Tensor]:
        return [_buffer.empty((0,)) if x is None else x for x in function(*arguments)]

    return kernel
