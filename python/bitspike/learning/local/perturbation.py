"""Gradients from losses alone: the parameters are moved, and the loss is watched."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bitspike.arguments import expect_choice

from ._perturbation import Closure, Perturbation, draw


class WeightPerturbation(Perturbation):
    r"""Learns by trying other parameters (Spall 1992; Salimans et al. 2017).

    Of noise :math:`ξ` in all parameters at once, and the losses at :math:`W ± σξ`, the gradient is
    estimated, and a step of gradient descent taken:

    .. math::
        \texttt{gradient}:\ \frac{L(W+σξ)-L(W)}{σ}\,ξ \qquad
        \texttt{antithetic}:\ \frac{L(W+σξ)-L(W-σξ)}{2σ}\,ξ \qquad
        \texttt{es}:\ \frac{u(W+σξ)-u(W-σξ)}{2σ}\,ξ

    each as a mean over ``directions``. ``es`` (evolution strategies) takes the rank ``u`` of each
    loss among all, from -½ to ½, in its place, so that the scale of losses does not matter.
    ``accept`` keeps :math:`W+σξ` if its loss is lower, and the parameters as they were otherwise:
    the loss of a batch never rises.

    Estimates are unbiased up to :math:`O(σ²)`, for quadratic losses at any ``σ``. Their variance is
    in proportion to the number of parameters: many small steps, or few parameters. Neither
    surrogates nor derivatives are needed, and memory is that of inference and one copy of the
    parameters.

    The closure must compute the same loss each time but for the parameters: encode the batch
    outside of it, and reset hidden states in it. `estimate` leaves the step to another optimiser.

    Args:
        net: Its parameters that require gradients are learned.
        lr: The step size; ``accept`` needs none.
        sigma: ``σ``.
        method: ``"gradient"``, ``"antithetic"``, ``"es"`` or ``"accept"``.
        directions: How many ``ξ`` there are in each step.
        noise: ``"rademacher"``, 1 or -1, or ``"normal"``.
        seed: Of the noise.

    Raises:
        ValueError: for another ``method`` or ``noise``, a ``sigma`` that is not positive, fewer
            than one direction, and a network without parameters to learn.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike.learning import local
        >>> net = nn.Sequential(nn.Linear(5, 3), snn.Leaky(0.9, init_hidden=True, multi_step=True))
        >>> x, y = (torch.rand(20, 16, 5) < 0.4).float(), torch.arange(16) % 3
        >>> def closure():
        ...     snn.utils.reset(net)
        ...     return nn.functional.cross_entropy(net(x).mean(0), y)
        >>> optimizer = local.WeightPerturbation(net, sigma=0.1, method="accept")
        >>> before = optimizer.step(closure)
        >>> all(optimizer.step(closure) <= before for _ in range(10))
        True
    """

    def __init__(
        self,
        net: nn.Module,
        lr: float = 1e-2,
        *,
        sigma: float = 1e-2,
        method: str = "antithetic",
        directions: int = 1,
        noise: str = "rademacher",
        seed: int = 0,
    ) -> None:
        expect_choice("method", method, ("gradient", "antithetic", "es", "accept"))
        self.method = method
        learned = [p for p in net.parameters() if p.requires_grad]
        if not learned:
            raise ValueError(
                f"net must have parameters that require gradients, {type(net).__name__} has none"
            )
        super().__init__(learned, noise, directions, lr=lr, sigma=sigma, seed=seed)

    @torch.no_grad()
    def step(self, closure: Closure) -> float:  # type: ignore[override]
        """A step along the estimate, or with ``"accept"`` to better parameters if there are any.

        Args:
            closure: Computes the loss anew, without ``backward``.

        Returns:
            The loss, as `estimate` does; with ``"accept"`` the one after the step.
        """
        if self.method != "accept":
            return super().step(closure)
        best = float(closure())
        for counter in self.next_directions():
            before, loss = self._copies(), best
            try:
                loss = self._loss_at(closure, before, counter, 1)
            finally:
                if not loss < best:
                    self._put_back(before)
            best = loss if loss < best else best
        return best

    @torch.no_grad()
    def estimate(self, closure: Closure) -> float:
        """Adds the estimate to the gradients of the parameters, as ``backward`` does.

        Args:
            closure: Computes the loss anew, without ``backward``.

        Returns:
            The loss of the parameters with ``"gradient"``, else the mean of all losses.

        Raises:
            ValueError: for ``"accept"``, which estimates no gradient.
        """
        if self.method == "accept":
            raise ValueError('method "accept" has no gradient: call step(closure)')
        counters = self.next_directions()
        before = self._copies()
        signs = (1,) if self.method == "gradient" else (1, -1)
        try:
            losses = [
                [self._loss_at(closure, before, counter, sign) for sign in signs]
                for counter in counters
            ]
        finally:
            self._put_back(before)
        if self.method == "gradient":
            here = float(closure())
            slopes = [loss - here for (loss,) in losses]
        else:
            flat = [loss for pair in losses for loss in pair]
            here = sum(flat) / len(flat)
            values = _ranks(flat) if self.method == "es" else flat
            slopes = [(values[i] - values[i + 1]) / 2 for i in range(0, len(values), 2)]
        for counter, slope in zip(counters, slopes, strict=True):
            for (p, group), noise in zip(self.learned(), self._noise(counter), strict=True):
                share = noise * (slope / (group["sigma"] * self.directions))
                p.grad = share if p.grad is None else p.grad + share
        return here

    def _copies(self) -> list[Tensor]:
        return [p.detach().clone() for p, _ in self.learned()]

    def _put_back(self, before: Sequence[Tensor]) -> None:
        for (p, _), value in zip(self.learned(), before, strict=True):
            p.copy_(value)

    def _loss_at(
        self, closure: Closure, before: Sequence[Tensor], counter: int, sign: int
    ) -> float:
        """The loss at parameters moved along a direction, where they stay."""
        moved = zip(self.learned(), before, self._noise(counter), strict=True)
        for (p, group), value, noise in moved:
            torch.add(value, noise, alpha=sign * group["sigma"], out=p)
        return float(closure())

    def _noise(self, counter: int) -> list[Tensor]:
        """The direction of this number."""
        parameters = [p for p, _ in self.learned()]
        generators: dict[torch.device, torch.Generator] = {}
        for p in parameters:
            if p.device not in generators:
                generators[p.device] = self.generator(counter, p.device)
        return [draw(self.noise, p, generators[p.device]) for p in parameters]


def _ranks(losses: Sequence[float]) -> list[float]:
    """From -½ for the lowest to ½ for the highest; equal losses share the mean of their ranks."""
    values = torch.tensor(losses, dtype=torch.float64, device="cpu")
    below = (values.unsqueeze(1) > values).sum(1)
    equal = (values.unsqueeze(1) == values).sum(1) - 1
    ranks: list[float] = ((below + equal / 2) / max(len(losses) - 1, 1) - 0.5).tolist()
    return ranks
