"""Gradients from losses alone: currents get noise, and the losses of samples are watched."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bitspike.scan import reverse_scan

from ._layers import add_gradients, feature_axes, hooked, synapses_of
from ._perturbation import Closure, Perturbation, draw


class NodePerturbation(Perturbation):
    r"""Learns by noise in the currents of neurons (Williams 1992; Fiete & Seung 2006).

    Each layer of weights gets noise :math:`ξ[t]` of its own in its current at each step. How the
    loss of a sample answers tells what its currents should have been, and with them the weights:

    .. math::
        \hat g_b[t] = \frac{L_b(I+σξ)-L_b(I)}{σ}\,ξ_b[t], \qquad
        ∂W_{ij} = \frac1B \sum_{b,t} \hat g_{b,i}[t]\, μ_{b,j}[t], \qquad
        μ_j[t] = λ μ_j[t-1] + x_j[t]

    Neurons carry noise of a current on, as they do the current itself. So ``λ = 0`` is right: it
    estimates the gradient of backpropagation through time, to :math:`O(σ)`, or :math:`O(σ²)` with
    ``antithetic``, and for losses quadratic in the currents at any ``σ``. A trace (``λ > 0``)
    also credits earlier inputs, as a rule would whose noise does not outlast its step.

    Samples are independent, so that their losses are told apart: variance grows with the number
    of neurons and steps, and not with that of weights as for `WeightPerturbation`. Only weights and
    biases of the layers are learned.

    The closure must compute the same losses each time but for the noise: encode the batch outside
    of it, and reset hidden states in it. `estimate` leaves the step to another optimiser.

    Args:
        net: Its ``nn.Linear`` and convolutions are learned, those inside of neurons excepted.
        lr: The step size.
        sigma: ``σ``.
        trace: ``λ``.
        antithetic: Run with ``-ξ`` too, and take half the difference.
        directions: How many ``ξ`` there are in each step; the estimate is their mean.
        noise: ``"rademacher"``, 1 or -1, or ``"normal"``.
        seed: Of the noise.

    Raises:
        ValueError: for another ``noise``, a ``sigma`` that is not positive, a ``trace`` outside
            ``[0, 1)``, fewer than one direction, and a network without layers of weights.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike.learning import local
        >>> net = nn.Sequential(nn.Linear(5, 3), snn.LI(0.9, init_hidden=True, multi_step=True))
        >>> x, y = (torch.rand(20, 16, 5) < 0.4).float(), torch.arange(16) % 3
        >>> def closure():
        ...     snn.utils.reset(net)
        ...     return nn.functional.cross_entropy(net(x).mean(0), y, reduction="none")
        >>> optimizer = local.NodePerturbation(net, lr=0.1, sigma=0.1)
        >>> losses = [optimizer.step(closure) for _ in range(50)]
        >>> losses[-1] < losses[0]
        True
    """

    def __init__(
        self,
        net: nn.Module,
        lr: float = 1e-2,
        *,
        sigma: float = 1e-2,
        trace: float = 0.0,
        antithetic: bool = False,
        directions: int = 1,
        noise: str = "rademacher",
        seed: int = 0,
    ) -> None:
        if not 0 <= trace < 1:
            raise ValueError(f"trace must be in [0, 1), not {trace}")
        self.trace = trace
        self.antithetic = antithetic
        self._synapses: list[Any] = list(synapses_of(net).values())
        learned = [p for s in self._synapses for p in s.parameters() if p.requires_grad]
        if not learned:
            raise ValueError(
                "net must have layers of weights (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d) "
                f"that require gradients, {type(net).__name__} has none outside of neurons"
            )
        super().__init__(learned, noise, directions, lr=lr, sigma=sigma, seed=seed)

    @torch.no_grad()
    def estimate(self, closure: Closure) -> float:
        """Adds the estimate to the gradients of weights and biases, as ``backward`` does.

        Args:
            closure: Computes the losses ``[B]`` of all samples anew, without ``backward``.

        Returns:
            The mean of the losses without noise.

        Raises:
            ValueError: if the closure returns no losses ``[B]``, or other numbers of them.
        """
        calls: list[tuple[int, Tensor, Tensor]] = []

        def record(i: int, x: Tensor, current: Tensor) -> Tensor:
            # Of the current only its shape is needed.
            calls.append((i, x.detach(), current.new_empty(()).expand(current.shape)))
            return current

        with hooked(self._synapses, after=record):
            here = _per_sample(closure())
        sigma = self.param_groups[0]["sigma"]
        wanted: list[Tensor | float] = [0.0] * len(calls)
        for counter in self.next_directions():
            losses = self._losses_with_noise(closure, counter, sigma)
            answer = losses - here
            if self.antithetic:
                answer = (losses - self._losses_with_noise(closure, counter, -sigma)) / 2
            share = answer / (sigma * self.directions * len(here))
            generator = self.generator(counter, here.device)
            for k, (i, _, current) in enumerate(calls):
                noise = draw(self.noise, current, generator)
                # Rows are samples, with time in front of them or not.
                rows = noise.view(-1, len(share), *noise.shape[-feature_axes(self._synapses[i]) :])
                weighed = rows * share.to(rows.dtype).view(-1, *(1,) * (rows.dim() - 2))
                wanted[k] = wanted[k] + weighed
        for i, synapse in enumerate(self._synapses):
            mine = [k for k, call in enumerate(calls) if call[0] == i]
            self._learn(synapse, [calls[k][1] for k in mine], [wanted[k] for k in mine])
        return float(here.mean())

    def _losses_with_noise(self, closure: Closure, counter: int, sigma: float) -> Tensor:
        generator = self.generator(counter, self.param_groups[0]["params"][0].device)

        def disturb(i: int, _: Tensor, current: Tensor) -> Tensor:
            return current + sigma * draw(self.noise, current, generator)

        with hooked(self._synapses, after=disturb):
            return _per_sample(closure())

    def _learn(self, synapse: Any, inputs: list[Tensor], errors: list[Any]) -> None:
        """Adds the gradients of a layer of weights for these errors of its currents."""
        if self.trace and inputs:
            # Σ_t g[t] μ[t] is Σ_s x[s] c[s], with c[s] = g[s] + λ c[s+1].
            steps = [len(error) for error in errors]
            joined = torch.cat(errors)
            errors = list(reverse_scan(joined, joined.new_tensor(self.trace)).split(steps))
        for x, error in zip(inputs, errors, strict=True):
            add_gradients(synapse, x, error)


def _per_sample(losses: Any) -> Tensor:
    """The losses of samples.

    Raises:
        ValueError: if they are none.
    """
    if not isinstance(losses, Tensor) or losses.dim() != 1:
        shape = list(losses.shape) if isinstance(losses, Tensor) else type(losses).__name__
        raise ValueError(
            "node perturbation needs the loss of each sample: closure must return a tensor [B], "
            f'as losses with reduction="none" do, not {shape}'
        )
    return losses.detach()
