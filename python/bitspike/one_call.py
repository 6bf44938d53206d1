"""Functions of the package that are one call where a program is captured as a graph.

Encoders and losses look at numbers, and write into tensors of their own, neither of which a graph
of torch functions can hold.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])

recorders: list[Callable[[Callable[..., Any], Any, Any], Any]] = []
"""What runs such a function instead of its caller while a program is captured; the last one."""


def one_call(function: Function) -> Function:
    """Marks a function, or a method ``__call__``."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not recorders:
            return function(*args, **kwargs)
        return recorders[-1](function, args, kwargs)

    return call  # type: ignore[return-value]
