"""How graphs call modules and tensors, and lines of programs."""

from __future__ import annotations

import functools
import inspect
import itertools
import sys
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

_HERE = str(Path(__file__).parent)
_PACKAGE = str(Path(__file__).parents[1])
_TORCH = str(Path(torch.__file__).parent)


class Names:
    """The names of modules and tensors of one program."""

    def __init__(self, program: Callable[..., Any], args: Any, kwargs: Any) -> None:
        self.program = getattr(program, "__name__", type(program).__name__)
        self.roots = dict(_roots(program, args, kwargs))
        self.modules: dict[nn.Module, str] = {}
        for root, prefix in self.roots.items():
            for name, module in root.named_modules(remove_duplicate=True):
                self.modules.setdefault(module, ".".join(filter(None, (prefix, name))))
        self.called: set[nn.Module] = set()

    def of(self, module: nn.Module) -> str:
        """The path of a module."""
        if module not in self.modules:
            self._meet(module)
        self.called.add(module)
        return self.modules[module] or self.program

    def _meet(self, module: nn.Module) -> None:
        prefix = type(module).__name__
        taken = set(self.modules.values())
        fresh = next(
            name
            for i in itertools.count()
            if (name := f"{prefix}_{i}" if i else prefix) not in taken
        )
        for name, child in module.named_modules():
            self.modules.setdefault(child, ".".join(filter(None, (fresh, name))))

    def of_modules(self) -> dict[nn.Module, str]:
        """All modules that were called, in the order of their paths."""
        return {module: path for module, path in self.modules.items() if module in self.called}

    def holder(self, tensor: Tensor) -> tuple[nn.Module, str, str] | None:
        """The module, the attribute and the path of a tensor that a module holds."""
        for module, path in self.modules.items():
            own = (module._parameters, module._buffers, module.__dict__)
            for name, held in itertools.chain.from_iterable(x.items() for x in own):
                if held is tensor:
                    return module, name, f"{path}.{name}".strip(".")
        return None


def _roots(program: Any, args: Any, kwargs: Any) -> Iterator[tuple[nn.Module, str]]:
    """The modules that a program can reach, with the names that it has for them."""
    if isinstance(program, nn.Module):
        yield program, ""
        return
    owner = getattr(program, "__self__", None)
    if isinstance(owner, nn.Module):
        yield owner, ""
    for name, value in parameters_of(program, args, kwargs):
        if isinstance(value, nn.Module):
            yield value, name
    for name, value in outer_variables(program):
        if isinstance(value, nn.Module):
            yield value, name


def outer_variables(program: Any) -> Iterator[tuple[str, Any]]:
    """The variables around a function that it refers to, by name."""
    while isinstance(program, functools.partial):
        program = program.func
    function = inspect.unwrap(getattr(program, "__func__", program))
    code = getattr(function, "__code__", None)
    if code is None:
        return
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not set yet
            continue
    for name in code.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]


def parameters_of(program: Any, args: Any, kwargs: Any) -> Iterator[tuple[str, Any]]:
    """The arguments of a call, with the names of the parameters that take them."""
    call = program.forward if isinstance(program, nn.Module) else program
    try:
        bound = inspect.signature(call).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        bound = {f"args{i}": value for i, value in enumerate(args)} | kwargs
    yield from bound.items()


def user_frames() -> Iterator[FrameType]:
    """The frames of the program that runs, from the innermost; none of torch and of this folder."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(_HERE) and frame.f_code.co_name == "run":
            return
        if not file.startswith((_HERE, _TORCH)):
            yield frame
        frame = frame.f_back


def site() -> Hashable:
    """The place in the program that runs now."""
    return tuple((id(frame.f_code), frame.f_lasti) for frame in user_frames())


def line() -> str:
    """The line of the user's program that runs now: file, number, function."""
    for frame in user_frames():
        file = frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            return f"{Path(file).name}:{frame.f_lineno}, in {frame.f_code.co_name}"
    return ""
