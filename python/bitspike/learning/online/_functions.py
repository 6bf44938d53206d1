"""What autograd runs besides the network: gradients of parameters from carried traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from bitspike.scan import reverse_scan
from bitspike.spikes.dense import DenseSpikes
from bitspike.spikes.tensor import SpikeTensor
from bitspike.spikes.upstream import plain_gradient

Gradients = Callable[[list[Tensor | None]], dict[str, Tensor]]
"""From the gradients of some tensors to those of parameters, by name."""


class Beside(torch.autograd.Function):
    """Passes tensors and their gradients on, which cause gradients of parameters."""

    @staticmethod
    def forward(
        ctx: Any, gradients: Gradients, names: list[str], count: int, *tensors: Any
    ) -> tuple[Tensor, ...]:
        ctx.gradients, ctx.names, ctx.count = gradients, names, count
        ctx.set_materialize_grads(False)
        return tuple(copied(x) for x in tensors[:count])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        found: dict[str, Tensor] = {}
        if any(grad is not None for grad in grads):
            found = ctx.gradients([plain_in(grad) for grad in grads])
        return None, None, None, *grads, *(found.get(name) for name in ctx.names)


def beside(
    gradients: Gradients, tensors: Sequence[Tensor], parameters: dict[str, nn.Parameter]
) -> list[Tensor]:
    """`Beside` for parameters by name; without any the tensors are returned as they are."""
    if not parameters or not torch.is_grad_enabled():
        return list(tensors)
    names = list(parameters)
    return list(Beside.apply(gradients, names, len(tensors), *tensors, *parameters.values()))


class Traced(torch.autograd.Function):
    """A current whose synapse learns from a trace of its input instead of the input.

    ``Σ_t δ[t]·μ[t]`` with ``μ[t] = λμ[t-1] + x[t]`` is ``Σ_t c[t]·x[t]`` with
    ``c[t] = δ[t] + λc[t+1]``, and ``λc[0]·μ[-1]`` of the trace before.
    """

    @staticmethod
    def forward(
        ctx: Any,
        gradients: Callable[[Tensor], dict[str, Tensor]],
        names: list[str],
        factors: tuple[float, float, bool],
        current: Tensor,
        *parameters: Tensor,
    ) -> Tensor:
        ctx.gradients, ctx.names, ctx.factors = gradients, names, factors
        return current.view_as(current)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        leak, gain, is_block = ctx.factors
        if gain != 1:
            grad = grad * gain
        if is_block and leak and len(grad) > 1:
            grad = reverse_scan(grad, grad.new_tensor(leak))
        found = ctx.gradients((grad[0] if is_block else grad) * leak)
        return None, None, None, grad, *(found.get(name) for name in ctx.names)


class Both(torch.autograd.Function):
    """The first of two equal tensors; its gradient goes to both of them."""

    @staticmethod
    def forward(ctx: Any, first: Tensor, second: Tensor) -> Tensor:
        return copied(first)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, grad


class Below(torch.autograd.Function):
    """A current whose gradient goes to the input of the synapse alone."""

    @staticmethod
    def forward(
        ctx: Any, current: Tensor, x: Tensor, gradient: Callable[[Tensor], Tensor]
    ) -> Tensor:
        ctx.gradient = gradient
        return current.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        return None, ctx.gradient(grad), None


class Instead(torch.autograd.Function):
    """Spikes whose gradient reaches the current times a factor, and nothing else."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, current: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return copied(spikes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        (factor,) = ctx.saved_tensors
        return None, grad * factor, None


class Replaced(torch.autograd.Function):
    """Spikes with another gradient, which may depend on their own."""

    @staticmethod
    def forward(ctx: Any, spikes: Tensor, instead: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.instead = instead
        return copied(spikes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        return ctx.instead(plain_in(grad)), None


class Told(torch.autograd.Function):
    """Tensors, the first of whose gradients is told on its way."""

    @staticmethod
    def forward(ctx: Any, tell: Callable[[Tensor], None], *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.tell = tell
        ctx.set_materialize_grads(False)
        return tuple(copied(x) for x in tensors)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Any, ...]:
        found = [plain_in(grad) for grad in grads if grad is not None]
        if found and found[0] is not None:
            ctx.tell(found[0])
        return None, *grads


class DiagonalBack(torch.autograd.Function):
    """What comes back to a layer, with the gradient of what each neuron sends to itself."""

    @staticmethod
    def forward(ctx: Any, feedback: Tensor, spikes: Tensor, autapse: Tensor) -> Tensor:
        ctx.save_for_backward(autapse)
        return feedback.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        (autapse,) = ctx.saved_tensors
        return grad, grad * autapse, None


def copied(x: Tensor) -> Tensor:
    """A tensor that a function may return; spikes stay what they are."""
    if isinstance(x, DenseSpikes):
        return Tensor._make_subclass(DenseSpikes, x.as_subclass(Tensor).clone())
    return x.detach() if isinstance(x, SpikeTensor) else x.clone()


def plain_in(grad: Tensor | None) -> Tensor | None:
    """A gradient as an ordinary tensor, in its own dtype."""
    ordinary = grad is None or type(grad) is Tensor
    return grad if ordinary else plain_gradient(grad)
