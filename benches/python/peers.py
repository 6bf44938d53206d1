"""One function for each library: it prepares a problem and returns the step that is timed.

A step is one forward and one backward pass. What a user does once (building modules, converting the
input to the library's own type) happens outside it; what a user does in every step, inside.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

import bitspike as snn
import leaky
from problem import Problem, Task


class Result(NamedTuple):
    """Output spikes, and the gradients of weight, bias and input, as far as the task has them."""

    spikes: Any
    gradients: Sequence[Any]


Step = Callable[[], Result]


def bitspike(problem: Problem) -> Step:
    """Whole sequence in one call, packed spikes in and out."""
    layer = leaky.bitspike(problem.width)

    def lif(current: Tensor) -> Tensor:
        layer.reset_mem()
        return layer(current)

    x = problem.x if problem.task is Task.LIF else snn.SpikeTensor.from_dense(problem.x)
    return _torch_step(problem, x, lif)


def snntorch_loop(problem: Problem) -> Step:
    """A batched Linear, then a time loop."""
    return _torch_step(problem, problem.x, leaky.OverTime(problem.width))


def spikingjelly(problem: Problem) -> Step:
    """Multi-step LIF with soft reset; it fires at ``>=`` and resets in the step of the spike."""
    layer = leaky.spikingjelly(problem.width)

    def lif(current: Tensor) -> Tensor:
        layer.reset()
        return layer(current)

    return _torch_step(problem, problem.x, lif)


def dense_products(problem: Problem) -> Step:
    """The products of a dense layer alone, without any neuron: the floor of a dense library."""
    if problem.weight is None:
        raise ValueError("a LIF alone has no product")
    weight, bias = problem.weight, problem.bias
    x, grad = problem.x.flatten(0, 1), problem.grad.flatten(0, 1)

    def step() -> Result:
        F.linear(x, weight, bias)
        gradients = [grad.t() @ x, grad.sum(0)]
        if problem.task is Task.HIDDEN:
            gradients.append(grad @ weight)
        return Result(None, gradients)

    return step


def immediate_reset(problem: Problem) -> Step:
    """SpikingJelly's rule in plain torch: what its result is compared with; never timed."""
    return _torch_step(problem, problem.x, leaky.ImmediateReset(problem.width))


def _torch_step(problem: Problem, x: Tensor, lif: Callable[[Tensor], Tensor]) -> Step:
    x = x.detach()
    wanted: list[Tensor] = []
    if problem.weight is not None and problem.bias is not None:
        weight = problem.weight.clone().requires_grad_()
        bias = problem.bias.clone().requires_grad_()
        wanted += [weight, bias]
    if problem.task is not Task.FIRST:
        wanted.append(x.requires_grad_())

    def step() -> Result:
        spikes = lif(x if problem.task is Task.LIF else F.linear(x, weight, bias))
        return Result(spikes, torch.autograd.grad(spikes, wanted, problem.grad))

    return step
