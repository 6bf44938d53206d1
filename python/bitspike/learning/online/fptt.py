"""Forward propagation through time: an optimiser that learns at every step of a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from bitspike import utils
from bitspike.state import HiddenState, states_put_back


class FPTT:
    r"""Forward propagation through time (Kag and Saligrama 2021) around any optimiser.

    The loss ``ℓ_t`` of each step, or of each ``K`` steps, gets a regulariser that keeps parameters
    ``Φ`` near their running mean ``Φ̄``, so that they can be updated within a sequence. With a
    closure the gradient of the loss is evaluated anew after each update, as published:

    .. math::
        g_t = ∇ℓ_t(Φ) + α(Φ - Φ̄) - λ/2, \qquad λ ← ∇ℓ_t(Φ), \qquad Φ̄ ← (Φ̄ + Φ)/2 - λ/(2α)

    where the last two follow the update with ``g_t``. Without one, ``λ`` is an estimate of that
    gradient, as in the authors' code, and nothing is evaluated twice:

    .. math::
        g_t = ∇ℓ_t(Φ) + α(Φ - Φ̄) - λ, \qquad λ ← λ - α(Φ - Φ̄), \qquad Φ̄ ← (Φ̄ + Φ)/2 - λ/(2α)

    Two more tensors for each parameter, and nothing that grows with time. It is approximate.

    Args:
        optimizer: Steps with ``g`` instead of the gradient.
        alpha: ``α``; with 0 it is the optimiser's plain step.
        net: Modules that keep states which a closure changes: gradients end at the states before
            it, its second evaluation starts there too, and what is kept is that of the first.

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

    def __init__(
        self, optimizer: torch.optim.Optimizer, alpha: float = 0.1, net: nn.Module | None = None
    ) -> None:
        if alpha < 0:
            raise ValueError(f"alpha must not be negative, but is {alpha}")
        self.optimizer = optimizer
        self.alpha = alpha
        self.net = net
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
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """An update.

        Args:
            closure: Zeroes gradients, computes the loss of some steps, calls its ``backward`` and
                returns it. Without one, ``backward`` has been called.

        Returns:
            What the closure returned before the update.
        """
        if closure is None:
            self._update(1.0)
            for parameter, mean, dual in self._triples():
                dual -= self.alpha * (parameter - mean)
            self._average()
            return None
        states = self._states()
        with torch.enable_grad():
            loss = closure()
        self._update(0.5)
        if self.alpha:
            with states_put_back(states), torch.enable_grad():
                for module, before in states.items():
                    vars(module).update(before)
                closure()
        for parameter, _, dual in self._triples():
            if parameter.grad is not None:
                dual.copy_(parameter.grad)
        self._average()
        return loss

    def _triples(self) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Parameters with means and what is owed to them; none without a regulariser."""
        triples = zip(self._parameters, self._means, self._duals, strict=True)
        return list(triples) if self.alpha else []

    def _update(self, share: float) -> None:
        for parameter, mean, dual in self._triples():
            if parameter.grad is not None:
                parameter.grad += self.alpha * (parameter - mean) - share * dual
        self.optimizer.step()

    def _average(self) -> None:
        for parameter, mean, dual in self._triples():
            mean.lerp_(parameter, 0.5).sub_(dual, alpha=0.5 / self.alpha)

    def _states(self) -> dict[HiddenState, dict[str, Any]]:
        """What modules keep, cut off from its graph."""
        if self.net is None:
            return {}
        utils.detach(self.net)
        modules = [x for x in self.net.modules() if isinstance(x, HiddenState)]
        return {module: module._hidden_state() for module in modules}

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
