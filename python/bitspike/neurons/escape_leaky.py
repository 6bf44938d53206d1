"""The leaky neuron with escape noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.constants import may_be_read, number
from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class EscapeLeaky(LIF):
    r"""Leaky neuron that fires by chance (escape noise; Gerstner et al. 2014, chapter 9).

    .. math::
        U[t] = βU[t-1] + I[t] - S[t-1]θ, \qquad
        P(S[t] = 1) = 1 - \exp\left(-ρ\,e^{(U[t] - θ)/Δ}\right)

    ``ρ`` is the expected number of spikes per step at threshold, ``Δ`` the width of the noise: with
    ``Δ → 0`` it is `Leaky`. The gradient of a spike is that of its probability. For score-function
    (REINFORCE) gradients, :meth:`log_prob` gives the log-probability of spikes.

    The last spikes are a state, because a membrane does not tell whether it has fired. Runs in
    torch, and draws from its generator.

    Args:
        beta: Decay ``β`` per step, clamped to ``[0, 1]``.
        width: ``Δ``, above 0.
        rate: ``ρ``, above 0.
        learn_beta: Make ``beta`` a parameter.
        options: See `SpikingNeuron`; without those that say how to fire.

    Raises:
        ValueError: if ``width`` or ``rate`` is not above 0, for an option about firing, and as
            `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.EscapeLeaky(beta=0.9, width=0.1, init_hidden=True, multi_step=True)
        >>> _ = torch.manual_seed(0)
        >>> neuron(torch.full((100, 1, 1), 0.2)).sum()
        tensor(14.)
    """

    STATES = ("spk", "mem")
    PARAMETERS = ("beta",)
    RESETS = ("subtract", "zero", "none")
    IMMEDIATE = False

    spk: Tensor
    mem: Tensor
    width: Tensor
    rate: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        width: float | Tensor = 0.2,
        rate: float | Tensor = 1.0,
        *,
        learn_beta: bool = False,
        **options: Unpack[Options],
    ) -> None:
        for name, value in (("width", width), ("rate", rate)):
            x = number(value, name)
            if may_be_read(x) and not bool((x > 0).all()):
                raise ValueError(f"{name} must be above 0, not {value}")
        for name in ("spike_grad", "inhibition", "order", "fire_at", "spike_range"):
            if name in options:
                raise ValueError(f"EscapeLeaky takes no {name}: it fires by chance")
        super().__init__(beta, learn_beta=learn_beta, **options)
        self._constant("width", width, False)
        self._constant("rate", rate, False)

    def forward(
        self, input_: Tensor, spk: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (spk, mem))

    def hazard(self, mem: Tensor) -> Tensor:
        """The expected number of spikes per step, ``ρ·exp((U - θ)/Δ)``."""
        # Far above threshold a spike is certain long before the exponential overflows.
        return self.rate * ((mem - self.firing_threshold()) / self.width).clamp(max=20).exp()

    def log_prob(self, spikes: Tensor, mem: Tensor) -> Tensor:
        """The logarithm of the probability of these spikes, 0 or 1, at these membranes."""
        hazard = self.hazard(mem)
        fires = torch.log(-torch.expm1(-hazard))
        return torch.where(spikes > 0, fires, -hazard)

    def step(self, current: Tensor, spk: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        (beta,) = self.coefficients()
        reset = spk.detach() if self.detach_reset else spk
        mem = self._reset_rule.erase(beta * mem + current, reset)
        mem = self._reset_rule.subtract(mem, reset, self.firing_threshold(), beta)
        mem = self._quantised(mem)
        fired, spikes = self._fired(mem)
        return spikes, (fired, mem)

    def _spike(self, mem: Tensor) -> Tensor:
        """A draw, with the gradient of its probability."""
        probability = -torch.expm1(-self.hazard(mem))
        drawn = (torch.rand_like(probability) < probability).to(probability.dtype)
        return probability + (drawn - probability).detach() if mem.requires_grad else drawn
