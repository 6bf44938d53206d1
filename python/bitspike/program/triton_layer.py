"""Layers as Triton kernels: one for a whole sequence, and one for its gradient.

Triton comes with torch for CUDA. Under ``TRITON_INTERPRET=1`` kernels run on the CPU, for tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from bitspike.derivable import gradients
from bitspike.ops.route import gradient_needs_torch

from .layer import Call
from .triton_gradient import gradient, needed, order
from .triton_plan import Given, Plan


def takes(x: Tensor) -> bool:
    """Whether a tensor is where the kernels run: on a GPU, with Triton installed."""
    return x.is_cuda and _IS_INSTALLED


_IS_INSTALLED = find_spec("triton") is not None


def run(neuron: Any, call: Call, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Spikes, then the states of all steps if wanted, then the states after the last.

    Args:
        neuron: Whose program runs.
        call: What runs: a sequence.
        tensors: Sequences, initial states and constants, float32 on one GPU, not empty.
    """
    sequences, initial, constants = call.split(tensors)
    step = initial[0].shape
    constants = [x if is_repeated(x, step) else x.expand(step) for x in constants]
    tensors = [x.contiguous() for x in (*sequences, *initial, *constants)]
    return run_plan(neuron, plan_of(call, tensors, at_rest=False, carried=True), tensors)


def plan_of(call: Call, tensors: Sequence[Tensor], *, at_rest: bool, carried: bool) -> Plan:
    """How tensors like these run; see `Given`."""
    steps, *step = tensors[0].shape
    records = torch.is_grad_enabled()
    constants = tensors[len(tensors) - len(call.captured.forward.constants) :]
    return _plan(
        Given(
            call,
            steps,
            torch.Size(step),
            asks=tuple([records and x.requires_grad for x in tensors]),
            sizes=tuple([x.numel() for x in constants]),
            at_rest=at_rest,
            carried=carried,
        )
    )


_plan = lru_cache(maxsize=256)(Plan)


def is_repeated(x: Tensor, step: torch.Size) -> bool:
    """Whether a constant lies in memory as its numbers repeat over the neurons of a step."""
    own = x.shape[next((i for i, size in enumerate(x.shape) if size > 1), x.dim()) :]
    return own == step[len(step) - len(own) :]


def run_plan(neuron: Any, plan: Plan, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What `run` returns; the states after the last step are recorded if they are carried on.

    Args:
        neuron: Whose program runs.
        plan: How it runs.
        tensors: As `Plan` has them.
    """
    last: list[Tensor] = []
    if not plan.shown:
        return (*plan.forward(tensors, last)[0], *last)
    shown = [tensors[i] for i in plan.shown]
    results: tuple[Tensor, ...] = Recorded.apply(plan, neuron, tensors, last, *shown)
    return results if plan.given.carried else (*results, *last)


class Recorded(torch.autograd.Function):
    """A layer as autograd records it, which is shown only what requires a gradient."""

    @staticmethod
    def forward(
        ctx: Any, plan: Plan, neuron: Any, tensors: Any, last: list[Tensor], *shown: Tensor
    ) -> tuple[Tensor, ...]:
        """Runs it, saves what backward wants, and appends the states after the last step."""
        ctx.plan, ctx.neuron = plan, neuron
        ctx.set_materialize_grads(False)
        results, saved = plan.forward(tensors, last)
        ctx.save_for_backward(*saved)
        return (*results, *last) if plan.given.carried else (*results,)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        """Gradients of the tensors that were shown."""
        plan, saved, need = ctx.plan, ctx.saved_tensors, ctx.needs_input_grad[4:]
        if gradient_needs_torch(grads):
            return (None, None, None, None, *_in_torch(plan, ctx.neuron, saved, grads, need))
        given = tuple([x is not None for x in grads])
        return (None, None, None, None, *gradient(plan, given, need)(saved, grads))


def _in_torch(
    plan: Plan,
    neuron: Any,
    saved: Sequence[Tensor],
    grads: Sequence[Tensor | None],
    need: Sequence[bool],
) -> tuple[Tensor | None, ...]:
    """The gradients of what was shown, which autograd may differentiate again."""

    def specification(*tensors: Tensor) -> tuple[Tensor, ...]:
        return plan.given.call.in_torch(neuron, *tensors)[: len(grads)]

    found = gradients(specification, plan.tensors(saved), needed(plan, need), grads)
    return tuple([found[i] for i in order(plan)])
