"""Whole layers of neurons to autograd."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from bitspike.ops import sequence
from bitspike.ops._dispatch import is_traced
from bitspike.spike_tensor import of_words

from .dense import dense


class Layer(torch.autograd.Function):
    """A whole layer: ``(spikes, states…, last states…)``, as `sequence.forward` returns them.

    Saves only what autograd holds anyway: the current, the constants and the initial states. It has
    no ``setup_context``, which would cost more per call than the kernel of a small step; transforms
    of ``torch.func``, which ask for one, take the reference path.
    """

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
        ctx.kind, ctx.surrogate, (ctx.sequence, packed, ctx.states) = kind, surrogate, layout
        ctx.constants = constants
        ctx.save_for_backward(current, *tensors)
        ctx.set_materialize_grads(False)
        numbers, initial = list(tensors[:constants]), list(tensors[constants:])
        if is_traced(current, *tensors):
            spikes, *others = torch.ops.bitspike.sequence_forward(
                *kind, *surrogate, *layout, current, numbers, initial
            )
        else:
            spikes, *others = sequence.forward(*kind, *layout, current, numbers, initial)
        if packed:
            spikes = of_words(spikes, sequence.features(current.shape))
        return (spikes, *others)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        traced = is_traced(*saved)
        needed = ctx.needs_input_grad[4:]
        to_current, to_constants, to_initial = gradients(
            torch.ops.bitspike.sequence_backward if traced else sequence.backward,
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


def gradients(
    native: Any,
    ctx: Any,
    saved: tuple[Tensor, ...],
    kind: tuple[Any, ...],
    need: tuple[bool, bool, bool],
    grads: Iterable[Tensor | None],
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Gradients of the current, the constants and the initial states of a layer.

    Args:
        native: `sequence.backward`, or its operator.
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
    to_current, *results = native(
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
