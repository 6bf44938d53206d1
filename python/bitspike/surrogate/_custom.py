"""Surrogates without a formula of ``x`` alone: noise, and functions of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ._surrogate import Surrogate


@dataclass(frozen=True)
class StochasticSpikeOperator(Surrogate):
    """``1`` where a spike was fired, else noise ``(U(0, 1) - 0.5 + mean)·variance``.

    Runs in torch; the noise comes from torch's generator.
    """

    mean: float = 0
    variance: float = 0.2

    def derivative(self, x: Tensor) -> Tensor:
        noise = (torch.rand_like(x) - 0.5 + self.mean) * self.variance
        return torch.where(x > 0, 1.0, noise)


@dataclass(frozen=True)
class CustomSurrogate(Surrogate):
    """A gradient of the user's own. Runs in programs, and in torch where it has none.

    Args:
        custom_surrogate_function: ``(input_, grad_input, spikes) -> gradient``, all of one shape.

    Example:
        >>> halved = snn.surrogate.custom_surrogate(lambda x, grad, spikes: grad / 2)
        >>> x = torch.tensor([-1.0, 1.0], requires_grad=True)
        >>> halved(x).sum().backward()
        >>> x.grad
        tensor([0.5000, 0.5000])
    """

    custom_surrogate_function: Callable[[Tensor, Tensor, Tensor], Tensor]

    def gradient(self, x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
        return self.custom_surrogate_function(x, grad, spikes)

    def derivative(self, x: Tensor) -> Tensor:
        return self.custom_surrogate_function(x, torch.ones_like(x), (x > 0).to(x.dtype))
