"""Programs as Triton kernels: one for a whole sequence, and one for its gradient.

Triton comes with torch for CUDA. Under ``TRITON_INTERPRET=1`` kernels run on the CPU, for tests.
"""

from __future__ import annotations

import itertools
import linecache
import math
from collections.abc import Sequence
from contextlib import nullcontext
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from bitspike.ops.straight_line import Program

from .layer import Call
from .triton_backward import Asked, Kept, backward_source
from .triton_functions import FUNCTIONS
from .triton_source import Wanted, forward_source

BLOCK = 64
"""Neurons of an instance of a kernel, each with a thread of its own; a whole word of spikes."""
ALL_SAVED = 64
"""Up to how many steps forward saves the states before every one, for backward."""


def takes(x: Tensor) -> bool:
    """Whether a tensor is where the kernels run: on a GPU, with Triton installed."""
    return x.is_cuda and _is_installed()


@cache
def _is_installed() -> bool:
    return find_spec("triton") is not None


class Run:
    """A call with its tensors, as the kernels take them."""

    def __init__(self, call: Call, tensors: Sequence[Tensor]) -> None:
        self.call = call
        sequences, self.initial, constants = call.split(tensors)
        self.step = self.initial[0].shape
        self.sequences = [x.contiguous() for x in sequences]
        self.initial = [x.contiguous() for x in self.initial]
        self.given = constants
        self.constants = [_spread(x, self.step) for x in constants]
        self.steps = len(sequences[0]) if call.sequence else 1
        self.kept = Kept.HISTORY if call.states else Kept.STEPS
        if not call.states and self.steps > ALL_SAVED:
            self.kept = Kept.CHUNKS
        self.every = math.isqrt(self.steps - 1) + 1 if self.kept is Kept.CHUNKS else 1
        self.like = self.sequences[0]

    def forward(self, saved: bool) -> tuple[list[Tensor], list[Tensor]]:
        """What a call returns, and the states that backward starts from."""
        call, program = self.call, self.call.captured.forward
        separately = saved and self.kept is not Kept.HISTORY
        wanted = Wanted(call.packed, call.states, separately)
        samples, neurons = self._rows() if call.packed else (1, self.step.numel())
        spikes = torch.empty_like(self.like)
        if call.packed:
            row = (samples,) if self.initial[0].dim() > 1 else ()
            shape = (self.steps, *row, -(-neurons // 64))
            spikes = self.like.new_empty(shape, dtype=torch.int64)
        last = [torch.empty_like(x) for x in self.initial]
        history = [torch.empty_like(self.like) for _ in last if call.states]
        chunks = -(-self.steps // self.every)
        checkpoints = [x.new_empty(chunks, *x.shape) for x in last if separately]
        outputs = [spikes, *last, *history, *checkpoints]
        kernel = _forward_kernel(program, wanted)
        self._launch(kernel, [*self.sequences, *self.initial, *outputs], samples, neurons)
        return [spikes, *history, *last], checkpoints if separately else history

    def backward(
        self, saved: Sequence[Tensor], grads: Sequence[Tensor | None], need: Sequence[bool]
    ) -> list[Tensor | None]:
        """Gradients of all tensors."""
        captured = self.call.captured
        assert captured.adjoint is not None
        count = len(self.initial)
        to_spikes, *others = grads
        of_states = others[:count] if self.call.states else [None] * count
        given = [None if x is None else x.contiguous() for x in (to_spikes, *of_states)]
        later = [None if x is None else x.contiguous() for x in others[-count:]]
        sequences, initial, constants = self.call.split(need)
        asked = Asked(
            self.kept,
            grads=tuple(x is not None for x in given),
            later=tuple(x is not None for x in later),
            outputs=tuple(sequences),
            firsts=tuple(initial),
            sums=tuple(constants),
        )
        first = self.initial if self.kept is Kept.HISTORY else []
        scratch = [x.new_empty(self.every, *x.shape) for x in self.initial if self.every > 1]
        to_sequences = [torch.empty_like(self.like) if x else None for x in sequences]
        to_initial = [
            torch.empty_like(x) if need else None
            for x, need in zip(self.initial, initial, strict=True)
        ]
        sums = [torch.empty_like(self.initial[0]) if x else None for x in constants]
        tensors = [*self.sequences, *first, *saved, *scratch, *given, *later]
        tensors += [*to_sequences, *to_initial, *sums]
        kernel = _backward_kernel(captured.forward, captured.adjoint, asked)
        present = [x for x in tensors if x is not None]
        self._launch(kernel, present, 1, self.step.numel())
        gathered = [
            None if x is None else x.sum_to_size(y.shape)
            for x, y in zip(sums, self.given, strict=True)
        ]
        return [*to_sequences, *to_initial, *gathered]

    def _rows(self) -> tuple[int, int]:
        """Samples, and neurons of each, as spikes are packed."""
        samples = self.step[0] if len(self.step) > 1 else 1
        return samples, self.step.numel() // samples

    def _launch(self, kernel: Any, tensors: Sequence[Tensor], rows: int, neurons: int) -> None:
        constants = [part for pair in self.constants for part in pair]
        sizes = (self.steps, neurons, self.every)
        device = torch.cuda.device(self.like.device) if self.like.is_cuda else nullcontext()
        with device:
            # Without fused multiplication and addition: the bits of each operation are torch's.
            kernel[rows, -(-neurons // BLOCK)](
                *(*constants, *tensors, *sizes), BLOCK=BLOCK, num_warps=2, enable_fp_fusion=False
            )


def _spread(x: Tensor, step: torch.Size) -> tuple[Tensor, int]:
    """A constant in contiguous memory, and the period with which neurons find theirs."""
    if x.numel() == 1:
        return x.contiguous(), 1
    while x.shape[0] == 1:
        x = x[0]
    if x.shape != step[len(step) - x.dim() :]:
        x = x.expand(step)
    return x.contiguous(), x.numel()


@cache
def _forward_kernel(program: Program, wanted: Wanted) -> Any:
    return _kernel(forward_source(program, wanted), "forward")


@cache
def _backward_kernel(program: Program, adjoint: Program, asked: Asked) -> Any:
    return _kernel(backward_source(program, adjoint, asked), "backward")


def _kernel(source: str, name: str) -> Any:
    """The kernel of this name in a source, which Triton reads again when it compiles."""
    import triton
    import triton.language

    file = f"<{name} of program {next(_numbers)}>"
    text = FUNCTIONS + source
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    names = {"triton": triton, "tl": triton.language, "__name__": __name__}
    exec(compile(text, file, "exec"), names)
    return names[name]


_numbers = itertools.count()
