"""The backward pass of a layer of given sizes as a Triton kernel."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Size, Tensor

from .triton_backward import Asked, Kept
from .triton_kernel import backward_kernel, grid
from .triton_plan import Plan, Tensors, with_periods

Optionals = Sequence[Tensor | None]


class Gradient:
    """The backward pass of a plan, for some of its gradients.

    Args:
        plan: What ran.
        given: Of which results there are gradients: spikes, the states of all steps if they are
            returned, the last states if they are recorded.
        need: Which gradients are wanted, of those tensors that autograd was shown.
    """

    def __init__(self, plan: Plan, given: tuple[bool, ...], need: tuple[bool, ...]) -> None:
        self.plan = plan
        call, step, states = plan.given.call, plan.given.step, plan.states
        assert call.captured.adjoint is not None
        asks = needed(plan, need)
        self.sequences = asks[: plan.sequences]
        self.initial = asks[plan.sequences : plan.sequences + states]
        self.sums = asks[plan.sequences + states :]
        self.alike = [*self.initial, *self.sums]
        none = (False,) * states
        self.of_steps = 1 + states * call.states
        self.kernel = backward_kernel(
            call.captured.forward,
            call.captured.adjoint,
            Asked(
                plan.constants,
                plan.given.at_rest,
                plan.kept,
                grads=given[: self.of_steps] if call.states else (given[0], *none),
                later=given[self.of_steps :] or none,
                outputs=tuple(self.sequences),
                firsts=tuple(self.initial),
                sums=tuple(self.sums),
            ),
        )
        chunked = plan.kept is Kept.CHUNKS
        self.given = plan.sequences if chunked else plan.first
        self.scratch = [Size((plan.every, *step))] * states if chunked else []
        self.periods = [plan.constants[i] for i in plan.held] if plan.periods else []
        held = enumerate(plan.held)
        behind = plan.sequences + states
        self.learned = [(behind + i, plan.first + k) for k, i in held if self.sums[i]]
        """Where found gradients of constants are, and where the constants are among the saved."""
        self.order = order(plan)
        self.grid = grid(1, step.numel())
        self.sizes = plan.given.steps, step.numel(), plan.every

    def __call__(self, saved: Tensors, grads: Optionals) -> Optionals:
        """The gradients of what autograd was shown, for those of the results."""
        plan, current = self.plan, saved[0]
        constants = saved[plan.first : plan.behind]
        numbers = with_periods(constants, self.periods) if self.periods else constants
        of_steps = grads[: self.of_steps]
        to_steps = [y for x in of_steps if x is not None for y in spaced(x, current)]
        to_last = [x.contiguous() for x in grads[self.of_steps :] if x is not None]
        scratch = [current.new_empty(shape) for shape in self.scratch]
        found: list[Any] = [torch.empty_like(current) if x else None for x in self.sequences]
        found += [
            current.new_empty_strided(plan.shape, plan.strides) if asks else None
            for asks in self.alike
        ]
        outputs = [x for x in found if x is not None]
        inputs = (*numbers, *saved[: self.given], *saved[plan.behind :], *scratch)
        arguments = (*inputs, *to_steps, *to_last, *outputs, *self.sizes)
        self.kernel(current.get_device(), self.grid, arguments)
        for at, k in self.learned:
            found[at] = found[at].sum_to_size(saved[k].shape)
        return [found[at] for at in self.order]


gradient = lru_cache(maxsize=1024)(Gradient)


def order(plan: Plan) -> list[int]:
    """Which of the sequences, states and constants autograd was shown."""
    hidden = plan.states if plan.given.at_rest else 0
    return [i if i < plan.sequences else i + hidden for i in plan.shown]


def needed(plan: Plan, need: Sequence[bool]) -> list[bool]:
    """Of which sequences, states and constants gradients are wanted."""
    wanted = dict(zip(order(plan), need, strict=True))
    count = plan.sequences + plan.states + len(plan.constants)
    return [wanted.get(i, False) for i in range(count)]


def spaced(grad: Tensor, current: Tensor) -> tuple[Tensor, int]:
    """The gradient of a sequence, and how far apart in memory its steps are.

    That of a sum over time is the same for all steps, and is not written out.
    """
    strides = current.stride()
    if grad.stride() == (0, *strides[1:]):
        return grad, 0
    return grad.contiguous(), strides[0]
