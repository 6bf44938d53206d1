"""The constants of a program in its kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Constant(NamedTuple):
    """What kernels do for a constant."""

    alone: bool
    """Whether it is one number for all neurons; else it repeats with a period."""
    copied: bool
    """Whether forward copies it for backward, as its owner may write to it before."""


def in_forward(constants: Sequence[Constant]) -> tuple[list[str], list[str]]:
    """Arguments of a forward kernel, and the lines that load constants and copy them."""
    arguments, lines = _loaded(constants, [f"constant_at{i}" for i in range(len(constants))])
    copies = 0
    for i, constant in enumerate(constants):
        if constant.copied and constant.alone:
            lines.append(f"tl.store(copies_at + {copies}, tl.load(constant_at{i}))")
            copies += 1
        elif constant.copied:
            at = f"copy_at{i} + place % period{i}"
            lines.append(f"tl.store({at}, constant{i}, mask=inside)")
            arguments.append(f"copy_at{i}")
    return arguments + ["copies_at"] * (copies > 0), lines


def in_backward(constants: Sequence[Constant]) -> tuple[list[str], list[str]]:
    """Arguments of a backward kernel, and the lines that load constants or the copies of them."""
    pointers, copies = [], 0
    for i, constant in enumerate(constants):
        if constant.copied and constant.alone:
            pointers.append(f"copies_at + {copies}")
            copies += 1
        else:
            pointers.append(f"constant_at{i}")
    arguments, lines = _loaded(constants, pointers)
    return arguments + ["copies_at"] * (copies > 0), lines


def _loaded(constants: Sequence[Constant], pointers: Sequence[str]) -> tuple[list[str], list[str]]:
    """Arguments for what is not copied to ``copies_at``, and the lines that load all."""
    arguments, lines = [], []
    for i, (constant, pointer) in enumerate(zip(constants, pointers, strict=True)):
        if pointer == f"constant_at{i}":
            arguments.append(pointer)
        if constant.alone:
            lines.append(f"constant{i} = one * tl.load({pointer})")
        else:
            arguments.append(f"period{i}")
            at = f"{pointer} + place % period{i}"
            lines.append(f"constant{i} = tl.load({at}, mask=inside, other=0.0)")
    return arguments, lines
