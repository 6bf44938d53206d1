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

    Sizes are those of the words: to ask a `SpikeTensor` for its own goes through Python, and the
    counts of a small layer take no longer.
    """

    @staticmethod
    def forward(ctx: Any, x: Any) -> Tensor:
        counts = spikes.count_axis(x.words, 0, x.neurons)
        steps, *rows = x.words.shape[:-1]
        ctx.steps = steps
        return counts.view((*rows, *x.features))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad.expand(ctx.steps, *grad.shape)


class SpikeTimes(Function):
    """When neurons fire for the first, second, … time; a stronger spike would come earlier."""

    @staticmethod
    def forward(ctx: Any, x: Any, count: int) -> Tensor:
        times = spikes.spike_times(x.words, x.neurons, count)
        steps, *rows = x.words.shape[:-1]
        times = times.view(count, *rows, *x.features)
        ctx.save_for_backward(times)
        ctx.steps = steps
        return times

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (times,) = ctx.saved_tensors
        if gradient_needs_torch([grad]):
            steps = torch.arange(ctx.steps).view(-1, *[1] * (times.dim() - 1))
            return -(grad[:, None] * (times[:, None] == steps)).sum(0), None
        return spikes.spike_times_gradient(times, grad, ctx.steps), None
