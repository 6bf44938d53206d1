"""What whole recordings of packed spikes are read for: counts, and times of spikes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from bitspike.ops import spikes
from bitspike.ops.route import gradient_needs_torch


class Counts(Function):
    """How often each neuron fires; all its spikes share the gradient of its count.

    With a mask of steps ``own [T, B]`` the others are not counted, and get no gradient.

    Sizes are those of the words: to ask a `SpikeTensor` for its own goes through Python, and the
    counts of a small layer take no longer.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, own: Tensor | None = None) -> Tensor:
        words = x.words if own is None else kept(x.words, own)
        counts = spikes.count_axis(words, 0, x.neurons)
        steps, *rows = words.shape[:-1]
        ctx.steps, ctx.own = steps, own
        return counts.view((*rows, *x.features))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        shared = grad.expand(ctx.steps, *grad.shape)
        return shared if ctx.own is None else kept(shared, ctx.own), None


class SpikeTimes(Function):
    """When neurons fire for the first, second, … time; a stronger spike would come earlier.

    With a mask of steps ``own [T, B]`` a spike that does not come is put at the last step of these.
    """

    @staticmethod
    def forward(ctx: Any, x: Any, count: int, own: Tensor | None = None) -> Tensor:
        words = x.words if own is None else kept(x.words, own)
        times = spikes.spike_times(words, x.neurons, count)
        steps, *rows = words.shape[:-1]
        times = times.view(count, *rows, *x.features)
        if own is not None:
            last = (own.sum(0) - 1).to(times.dtype)
            times = times.minimum(last.view(-1, *[1] * (times.dim() - 2)))
        ctx.save_for_backward(times)
        ctx.steps = steps
        return times

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (times,) = ctx.saved_tensors
        if gradient_needs_torch([grad]):
            steps = torch.arange(ctx.steps).view(-1, *[1] * (times.dim() - 1))
            return -(grad[:, None] * (times[:, None] == steps)).sum(0), None, None
        return spikes.spike_times_gradient(times, grad, ctx.steps), None, None


def kept(x: Tensor, own: Tensor) -> Tensor:
    """Words or numbers ``[T, B, *]`` with zeros wherever a mask of steps ``[T, B]`` is false."""
    return x.masked_fill(~own.view(*own.shape, *[1] * (x.dim() - 2)), 0)
