"""Calls that are no torch functions, on their way through a recorder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.state import HiddenState

from ._frames import line
from ._recorder import Recorder
from .errors import GraphError


@contextmanager
def patched(recorder: Recorder) -> Iterator[None]:
    """Has a recorder see calls of modules, resets of states, and autograd's functions."""
    thread = threading.get_ident()

    def is_mine() -> bool:
        return threading.get_ident() == thread and recorder.is_running

    call: Any = nn.Module.__call__
    applied: Any = torch.autograd.Function.__dict__["apply"]
    from_numpy = torch.from_numpy

    def call_module(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if not is_mine():
            return call(module, *args, **kwargs)
        return recorder.call_module(module, call, args, kwargs)

    def call_function(kind: Any, *args: Any, **kwargs: Any) -> Any:
        apply = applied.__get__(None, kind)
        if not is_mine():
            return apply(*args, **kwargs)
        return recorder.call_function(kind, apply, args, kwargs)

    def method(owner: type, name: str) -> Callable[[Any], Any]:
        original: Any = owner.__dict__[name]

        def call_method(module: Any) -> Any:
            return recorder.call_method(module, name, original) if is_mine() else original(module)

        return call_method

    def refuse_numpy(array: Any) -> Tensor:
        if is_mine():
            raise GraphError(
                "torch.from_numpy would freeze its numbers: pass them as an argument", line()
            )
        return from_numpy(array)

    with ExitStack() as stack:
        _patch(stack, nn.Module, "__call__", call_module)
        _patch(stack, torch.autograd.Function, "apply", classmethod(call_function))
        _patch(stack, torch, "from_numpy", refuse_numpy)
        for owner in _with_own(HiddenState):
            for name in ("reset_mem", "detach_mem"):
                if name in owner.__dict__:
                    _patch(stack, owner, name, method(owner, name))
        yield


def _with_own(owner: type) -> Iterator[type]:
    yield owner
    children: list[type] = owner.__subclasses__()
    for child in children:
        yield from _with_own(child)


def _patch(stack: ExitStack, owner: Any, name: str, replacement: Any) -> None:
    stack.callback(setattr, owner, name, owner.__dict__[name])
    setattr(owner, name, replacement)
