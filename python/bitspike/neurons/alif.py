"""The leaky integrate-and-fire neuron with an adaptive threshold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.neuron import Result, SpikingNeuron

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class ALIF(SpikingNeuron):
    r"""Adaptive leaky integrate-and-fire neuron, of which LSNNs consist (Bellec et al. 2018, 2020).

    .. math::
        a[t] = ρa[t-1] + R[t], \qquad U[t] = βU[t-1] + I[t] - R[t]θ, \qquad
        S[t] = (U[t] - β_a a[t] > θ), \qquad R[t] = (U[t-1] - β_a a[t-1] > θ)

    with ``β`` and ``ρ`` clamped to ``[0, 1]``. Each spike raises the threshold by ``β_a``; it
    decays back to ``θ`` with ``ρ``, usually much slower than the membrane with ``β``. That is a
    memory of hundreds of steps. Resets act on the membrane ``U`` alone: ``reset_mechanism="zero"``
    erases all of it, the present input too, ``"none"`` nothing.

    ``Rθ`` is a constant to gradients unless ``detach_reset=False``, as with other neurons. What a
    spike adds to ``a`` is not: it has the surrogate's gradient, by which an LSNN learns what to
    remember.

    Args:
        beta: Decay ``β`` of the membrane per step: a number, or a tensor that broadcasts against
            one step.
        rho: Decay ``ρ`` of the adaptation, likewise: ``exp(-dt/τ_a)``.
        beta_a: What a spike adds to the threshold, likewise.
        learn_beta: Make ``beta`` a parameter.
        learn_rho: Make ``rho`` a parameter.
        learn_beta_a: Make ``beta_a`` a parameter.
        options: See `SpikingNeuron`.

    Shapes:
        As `Leaky`, with two states of one step's shape, ``a`` and ``mem``.

    Raises:
        ValueError: as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.ALIF(beta=0.5, rho=0.75, beta_a=0.5, multi_step=True)
        >>> spikes, a, mem = neuron(torch.full((5, 1), 0.8))
        >>> spikes.dense().squeeze(), a.squeeze()
        (tensor([0., 1., 0., 0., 1.]), tensor([0.0000, 0.0000, 1.0000, 0.7500, 0.5625]))
    """

    NAME = "alif"
    STATES = ("a", "mem")
    PARAMETERS = ("beta", "rho", "beta_a")

    beta: Tensor
    rho: Tensor
    beta_a: Tensor
    a: Tensor
    mem: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        rho: float | Tensor,
        beta_a: float | Tensor,
        *,
        learn_beta: bool = False,
        learn_rho: bool = False,
        learn_beta_a: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self._constant("beta", beta, learn_beta)
        self._constant("rho", rho, learn_rho)
        self._constant("beta_a", beta_a, learn_beta_a)

    def coefficients(self) -> tuple[Tensor, ...]:
        """The parameters of the equation, of which decays are clamped to ``[0, 1]``."""
        return self.beta.clamp(0.0, 1.0), self.rho.clamp(0.0, 1.0), self.beta_a

    def forward(self, input_: Tensor, a: Tensor | None = None, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (a, mem))

    def level(self, *states: Tensor) -> Tensor:
        """What is compared with the threshold: the membrane below its adaptation."""
        a, mem = states
        _, _, beta_a = self.coefficients()
        return mem - beta_a * a

    def step(
        self, current: Tensor, a: Tensor, mem: Tensor, recurrent: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        beta, rho, _ = self.coefficients()
        reset = self.mem_reset(self.level(a, mem))
        a = rho * a + self._spike(self.level(a, mem))
        mem = beta * mem + current
        if recurrent is not None:
            mem = mem + recurrent
        mem = self._reset_rule.erase(mem, reset)
        mem = self._reset_rule.subtract(mem, reset, self.firing_threshold(), beta)
        a, mem = self._quantised(a), self._quantised(mem)
        _, spikes = self._fired(self.level(a, mem))
        return spikes, (a, mem)
