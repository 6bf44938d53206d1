"""How a native function becomes a torch operator."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import torch

from bitspike.ops import buffer

_LIBRARY = torch.library.Library("bitspike", "DEF")
LAYER = "str neuron, str mechanism, bool immediate, str surrogate, float[] surrogate_parameters"
_WORDS = ("words", "spikes")
"""Arguments that are words of spikes; all others are numbers."""
TENSORS = "Tensor current, Tensor[] constants, Tensor[] initial"
Shapes = Iterable[tuple[str, torch.Tensor | None, tuple[int, ...]]]
"""Names of arguments, the arguments, and the shapes that they must have."""


def operator(
    schema: str,
    function: Callable[..., Any],
    fake: Callable[..., Any],
    shapes: Callable[..., Shapes],
    gradient: tuple[Callable[..., None], Callable[..., Any]] | None = None,
) -> None:
    """Defines an operator: schema, kernel, its results on fake tensors, what fits, its gradient.

    Where a kernel returns None in a list, the operator returns an empty tensor. ``shapes`` says
    which shapes the arguments must have, beside what the native module asks of their sizes.
    """
    name = schema.partition("(")[0]
    _LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    names = [x.name for x in getattr(torch.ops.bitspike, name).default._schema.arguments]
    kernel = _tensors(function) if schema.endswith("Tensor[]") else function
    # For tensors of all backends: those of others than the CPU are refused by name.
    _LIBRARY.impl(name, _refusing(names, kernel, shapes), "CompositeExplicitAutograd")
    torch.library.register_fake(f"bitspike::{name}", _on_one_device(names, fake), lib=_LIBRARY)
    if gradient is not None:
        save, backward = gradient
        torch.library.register_autograd(
            f"bitspike::{name}", backward, setup_context=save, lib=_LIBRARY
        )


def _tensors(function: Callable[..., list[torch.Tensor | None]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def kernel(*arguments: Any) -> list[torch.Tensor]:
        return [buffer.empty((0,)) if x is None else x for x in function(*arguments)]

    return kernel


def _refusing(
    names: list[str], function: Callable[..., Any], shapes: Callable[..., Shapes]
) -> Callable[..., Any]:
    """A kernel whose errors name the argument that has the wrong shape or memory.

    The native module checks memory itself, so the search for the argument begins after it failed.
    """

    @functools.wraps(function)
    def kernel(*arguments: Any) -> Any:
        try:
            for name, x, shape in shapes(*arguments):
                if x is not None and x.shape != shape:
                    given = _described(names, arguments)
                    raise ValueError(f"{name} must be {tuple(shape)} where {given}")
            return function(*arguments)
        except Exception as error:
            for name, x in _named(names, arguments):
                dtype = torch.int64 if name in _WORDS else torch.float32
                if not x.is_cpu or x.layout is not torch.strided or x.dtype != dtype or x.is_nested:
                    nested = "nested " if x.is_nested else ""
                    raise TypeError(
                        f"{name} must be {dtype} in dense memory of the CPU, "
                        f"not {nested}{x.dtype} of {x.layout} on {x.device}"
                    ) from error
            if isinstance(error, TypeError | ValueError):
                raise  # which names it itself
            given = _described(names, arguments)
            raise ValueError(f"arguments do not fit each other, {given}: {error}") from error

    return kernel


def _on_one_device(names: list[str], fake: Callable[..., Any]) -> Callable[..., Any]:
    """A fake kernel that refuses arguments on different devices.

    torch calls fake kernels also where only some arguments are meta tensors, and would return
    uninitialised memory as if it were a result.
    """

    @functools.wraps(fake)
    def checked(*arguments: Any) -> Any:
        (first, x), *others = _named(names, arguments)
        for name, other in others:
            if other.device != x.device:
                raise ValueError(
                    f"{name} must be on the device of {first}, {x.device}, not on {other.device}"
                )
        return fake(*arguments)

    return checked


def _described(names: list[str], arguments: tuple[Any, ...]) -> str:
    """The shapes of the tensors among arguments, the numbers, and lists of numbers."""
    shapes = [f"{name} is {tuple(x.shape)}" for name, x in _named(names, arguments)]
    pairs = zip(names, arguments, strict=True)
    numbers = [f"{name} is {x}" for name, x in pairs if type(x) is int or _is_sizes(x)]
    return ", ".join(shapes + numbers)


def _is_sizes(x: Any) -> bool:
    return isinstance(x, list) and all(type(size) is int for size in x)


def _named(names: list[str], arguments: tuple[Any, ...]) -> list[tuple[str, torch.Tensor]]:
    """The tensors among arguments, with the names of the arguments."""
    return [
        (name, x)
        for name, argument in zip(names, arguments, strict=True)
        for x in (argument if isinstance(argument, list) else [argument])
        if isinstance(x, torch.Tensor)
    ]
