"""Whole layers of neurons to autograd."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor

from bitspike.ops import sequence
from bitspike.ops._dispatch import is_traced
from bitspike.spike_tensor import of_words

from . import derivable
from .dense import dense
from .saving import private, saved_tensors


class Layer(torch.autograd.Function):
    """A whole layer: ``(spikes, states…, last states…)``, as `sequence.forward` returns them.

    `run_layer` calls it where something asks for a gradient.

    It has no ``setup_context``, which would cost more per call than the kernel of a small step;
    transforms of ``torch.func``, which ask for one, take the reference path.
    """

    specification: ClassVar[Callable[..., tuple[Tensor, ...]]]
    """The same in torch; neurons/_specification.py sets it."""

    @staticmethod
    def forward(
        ctx: Any,
        kind: tuple[str, str, bool],
        surrogate: tuple[str, list[float]],
        layout: tuple[bool, bool, bool],
        constants: int,
        current: Tensor,
        *tensors: Tensor,
    ) -> tuple[Tensor, ...]:
        ctx.kind, ctx.surrogate, (ctx.sequence, _, ctx.states) = kind, surrogate, layout
        ctx.constants = constants
        ctx.set_materialize_grads(False)
        saved, held = current, list(tensors[:constants])
        if not is_traced(current):
            saved, held = private(ctx.sequence, current, held, constants - 2)
        ctx.save_for_backward(saved, *held, *tensors[constants:])
        return _run(kind, surrogate, layout, constants, current, *tensors)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = saved_tensors(ctx)
        traced = is_traced(saved[0])
        needed = ctx.needs_input_grad[4:]
        if not traced and derivable.is_wanted(grads):
            return *[None] * 4, *derivable.gradients(Layer._in_torch(ctx), saved, needed, grads)
        to_current, to_constants, to_initial = gradients(
            ctx,
            saved,
            (*ctx.kind, *ctx.surrogate),
            (needed[0], any(needed[1 + ctx.constants :]), any(needed[1 : 1 + ctx.constants])),
            # While tracing, torch does not know yet of which type a gradient will be.
            grads if traced else map(dense, grads),
        )
        ordered = (to_current, *to_constants, *to_initial)
        return (
            *[None] * 4,
            *(x if need else None for x, need in zip(ordered, needed, strict=True)),
        )

    @staticmethod
    def _in_torch(ctx: Any) -> Callable[..., tuple[Tensor, ...]]:
        layout = (ctx.sequence, ctx.states)
        return partial(Layer.specification, ctx.kind, ctx.surrogate, layout, ctx.constants)


def run_layer(
    kind: tuple[str, str, bool],
    surrogate: tuple[str, list[float]],
    layout: tuple[bool, bool, bool],
    constants: int,
    *tensors: Tensor,
) -> tuple[Tensor, ...]:
    """What `Layer` returns. Where nothing asks for a gradient, autograd is not asked to look on."""
    if torch.is_grad_enabled():
        for x in tensors:
            if x.requires_grad:
                results: tuple[Tensor, ...] = Layer.apply(
                    kind, surrogate, layout, constants, *tensors
                )
                return results
    return _run(kind, surrogate, layout, constants, *tensors)


def _run(
    kind: tuple[str, str, bool],
    surrogate: tuple[str, list[float]],
    layout: tuple[bool, bool, bool],
    constants: int,
    current: Tensor,
    *tensors: Tensor,
) -> tuple[Tensor, ...]:
    numbers, initial = list(tensors[:constants]), list(tensors[constants:])
    spikes, *others = sequence.forward(*kind, *surrogate, *layout, current, numbers, initial)
    if layout[1]:
        spikes = of_words(spikes, sequence.features(current.shape))
    return (spikes, *others)


def gradients(
    ctx: Any,
    saved: tuple[Tensor, ...],
    kind: tuple[Any, ...],
    need: tuple[bool, bool, bool],
    grads: Iterable[Tensor | None],
) -> tuple[Tensor | None, list[Tensor | None], list[Tensor | None]]:
    """Gradients of the current, the constants and the initial states of a layer, or None.

    Args:
        ctx: Says how forward was called.
        saved: What it saved, which may be asked for but once.
        kind: Neuron, mechanism, whether it is immediate, the surrogate and its parameters.
        need: Whether gradients of the current, of initial states and of constants are wanted.
        grads: Of what forward returned.
    """
    current, *tensors = saved
    constants, initial = tensors[: ctx.constants], tensors[ctx.constants :]
    spikes, *others = grads
    count = len(initial)
    to_current, *results = sequence.backward(
        *kind,
        ctx.sequence,
        *need,
        current,
        constants,
        initial,
        spikes,
        others[:count] if ctx.states else [None] * count,
        others[-count:],
    )
    return to_current, results[count:], results[:count]
