"""Where a program is while it runs: its lines, and the variables around them."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Hashable, Iterator
from pathlib import Path
from types import CellType, CodeType, FrameType
from typing import Any

import torch

from .values import Variable

_HERE = str(Path(__file__).parent)
_PACKAGE = str(Path(__file__).parents[1])
_TORCH = str(Path(torch.__file__).parent)


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


def line() -> str:
    """The line of the user's program that runs now: file, number, function."""
    for frame in user_frames():
        file = frame.f_code.co_filename
        if not file.startswith(_PACKAGE):
            return f"{Path(file).name}:{frame.f_lineno}, in {frame.f_code.co_name}"
    return ""


class Places:
    """The places of a program that have made calls."""

    def __init__(self) -> None:
        self._scopes: dict[CodeType, dict[str, Any]] = {}

    def site(self) -> Hashable:
        """The place in the program that runs now."""
        found = []
        for frame in user_frames():
            self._scopes[frame.f_code] = frame.f_globals
            found.append((id(frame.f_code), frame.f_lasti))
        return tuple(found)

    def variables(self) -> Iterator[Variable]:
        """The global variables that the functions of the program name."""
        for code, scope in self._scopes.items():
            if not code.co_filename.startswith(_PACKAGE):
                yield from _globals(code, scope)


def outer_variables(program: Any) -> Iterator[Variable]:
    """The variables around a function that it refers to."""
    while isinstance(program, functools.partial):
        program = program.func
    function = inspect.unwrap(getattr(program, "__func__", program))
    code = getattr(function, "__code__", None)
    if code is None:
        return
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        yield Variable(name, functools.partial(_content, cell))
    yield from _globals(code, function.__globals__)


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not set yet
        return None


def _globals(code: CodeType, scope: dict[str, Any]) -> Iterator[Variable]:
    for name in code.co_names:
        if name in scope:
            yield Variable(name, functools.partial(scope.get, name))
    for inner in code.co_consts:  # of comprehensions and inner functions
        if isinstance(inner, CodeType):
            yield from _globals(inner, scope)
