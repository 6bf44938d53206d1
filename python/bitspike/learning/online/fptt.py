"""Forward propagation through time: an optimiser that learns at every step of a sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class FPTT:
    r"""Forward propagation through time (Kag and Saligrama 2021) around any optimiser.

    The loss of each step, or of each ``K`` steps, gets a regulariser that keeps parameters ``Φ``
    near their running mean ``Φ̄``, so that they can be updated within a sequence:

    .. math::
        g = ∇ℓ_t(Φ) + α(Φ - Φ̄) - λ, \qquad λ ← λ - α(Φ - Φ̄), \qquad
        Φ̄ ← (Φ̄ + Φ)/2 - λ/(2α)

    where the last two follow the update. Two more tensors for each parameter, and nothing that
    grows with time. It is approximate.

    Args:
        optimizer: Steps with ``g`` instead of the gradient.
        alpha: ``α``; with 0 it is the optimiser's plain step.

    Raises:
        ValueError: for an ``alpha`` below 0.

    Example:
        >>> import torch
        >>> from bitspike.learning import online
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> optimizer = online.FPTT(torch.optim.SGD([weight], lr=0.5), alpha=0.1)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight.data
        tensor([0., 0.])
    """

    def __init__(self, optimizer: torch.optim.Optimizer, alpha: float = 0.1) -> None:
        if alpha < 0:
            raise ValueError(f"alpha must not be negative, but is {alpha}")
        self.optimizer = optimizer
        self.alpha = alpha
        self._parameters = [x for group in optimizer.param_groups for x in group["params"]]
        self.reset()

    def reset(self) -> None:
        """The running mean is what parameters are now, and nothing is owed to it."""
        self._means = [x.detach().clone() for x in self._parameters]
        self._duals = [torch.zeros_like(x) for x in self._means]

    def zero_grad(self) -> None:
        """That of the optimiser."""
        self.optimizer.zero_grad()

    @torch.no_grad()
    def step(self) -> None:
        """An update, after ``backward`` of the loss of some steps."""
        triples = list(zip(self._parameters, self._means, self._duals, strict=True))
        if self.alpha:
            for parameter, mean, dual in triples:
                if parameter.grad is not None:
                    parameter.grad += self.alpha * (parameter - mean) - dual
        self.optimizer.step()
        if self.alpha:
            for parameter, mean, dual in triples:
                dual -= self.alpha * (parameter - mean)
                mean.lerp_(parameter, 0.5).sub_(dual, alpha=0.5 / self.alpha)

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's, with means and what is owed to them."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "means": _copies(self._means),
            "duals": _copies(self._duals),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where another one was.

        Raises:
            ValueError: if that had other parameters.
        """
        shapes = [x.shape for x in self._parameters]
        if [x.shape for x in state_dict["means"]] != shapes:
            raise ValueError("the state dict is of other parameters than the optimiser's")
        self.optimizer.load_state_dict(state_dict["optimizer"])
        self._means, self._duals = _copies(state_dict["means"]), _copies(state_dict["duals"])


def _copies(tensors: list[Tensor]) -> list[Tensor]:
    return [x.clone() for x in tensors]
