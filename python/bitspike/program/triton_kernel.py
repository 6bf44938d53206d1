"""Triton kernels: from their source to a launch."""

from __future__ import annotations

import itertools
import linecache
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from bitspike.ops.straight_line import Program

from .triton_backward import Asked, backward_source
from .triton_functions import FUNCTIONS
from .triton_source import Wanted, forward_source
from .triton_text import BLOCK

OPTIONS = {"num_warps": BLOCK // 32, "enable_fp_fusion": False}
"""Without fused multiplication and addition: the bits of each operation are torch's."""


class Kernel:
    """A kernel, and what Triton has compiled of it for each GPU.

    Triton looks at every argument of a launch for what it is to compile, which takes longer than a
    launch. These kernels are the same for all arguments, so that is done once.
    """

    def __init__(self, source: str, name: str) -> None:
        self.function = function(source, name)
        self._compiled: dict[int, Any] = {}

    def __call__(self, gpu: int, grid: tuple[int, int, int], arguments: Sequence[Any]) -> None:
        """Launches it.

        Args:
            gpu: The number of the GPU where the tensors are; below 0 in the interpreter.
            grid: How many instances run.
            arguments: All that its source names.
        """
        if gpu < 0 or gpu == torch.cuda.current_device():
            self._launch(gpu, grid, arguments)
            return
        with torch.cuda.device(gpu):
            self._launch(gpu, grid, arguments)

    def _launch(self, gpu: int, grid: tuple[int, int, int], arguments: Sequence[Any]) -> None:
        compiled = self._compiled.get(gpu)
        if compiled is not None:
            compiled[grid](*arguments)
            return
        compiled = self.function[grid](*arguments, **OPTIONS)
        if gpu >= 0:
            self._compiled[gpu] = compiled


def grid(rows: int, neurons: int) -> tuple[int, int, int]:
    """How many instances a kernel has for rows of neurons."""
    return rows, -(-neurons // BLOCK), 1


@cache
def forward_kernel(program: Program, wanted: Wanted) -> Kernel:
    """The kernel of a program."""
    return Kernel(forward_source(program, wanted), "forward")


@cache
def backward_kernel(program: Program, adjoint: Program, asked: Asked) -> Kernel:
    """The kernel of a program's gradient."""
    return Kernel(backward_source(program, adjoint, asked), "backward")


def function(source: str, name: str) -> Any:
    """The function of this name in a source, which Triton reads again when it compiles."""
    import triton
    import triton.language

    file = f"<{name} of program {next(_numbers)}>"
    text = FUNCTIONS + source
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = {"triton": triton, "tl": triton.language, "__name__": __name__}
    exec(compile(text, file, "exec", dont_inherit=True), names)
    return names[name]


_numbers = itertools.count()
