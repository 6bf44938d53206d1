"""The leaky neuron with a dendrite and a soma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.constants import logit
from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.packing import Packing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class TCLIF(Packing):
    r"""Two-compartment leaky integrate-and-fire neuron (TC-LIF; Zhang et al., AAAI 2024).

    .. math::
        U_D[t] &= α(U_D[t-1] - R[t]Γ) - f(U[t-1] - R[t]θ) + I[t] \\
        U[t] &= β(U[t-1] - R[t]θ) + c\,U_D[t], \qquad S[t] = γ·(U[t] > θ), \qquad
        R[t] = (U[t-1] > θ)

    The dendrite ``U_D`` integrates the input, the soma ``U`` integrates the dendrite and fires.
    What the soma holds is subtracted from the dendrite again, so that without a leak, ``α = β = 1``
    as in the paper, the two swing to and fro and neither decays: that is its long memory. ``f`` and
    ``c`` are the paper's ``-β₁ = σ(c₁)`` and ``β₂ = σ(c₂)``, ``Γ`` its ``γ``. With ``α = f = 0``
    and ``c = 1`` it is a leaky neuron whose reset decays with it. Resets come first in the step
    after the spike: ``"subtract"`` takes ``θ`` from the soma and ``Γ`` from the dendrite,
    ``"zero"`` erases the soma alone, ``"none"`` does nothing. Runs as a program.

    Args:
        feedback: ``f`` to begin with, from 0 to 1: a number, or a tensor that broadcasts against
            one step.
        coupling: ``c`` to begin with, likewise.
        gamma: ``Γ``, what a spike takes from the dendrite, likewise.
        alpha: Decay ``α`` of the dendrite per step, clamped to ``[0, 1]``, likewise; no gradient
            moves it from there.
        beta: Decay ``β`` of the soma, likewise.
        learn_coupling: Make the logits of ``feedback`` and ``coupling``, ``w_feedback`` and
            ``w_coupling``, parameters.
        learn_gamma: Make ``gamma`` a parameter.
        learn_alpha: Make ``alpha`` a parameter.
        learn_beta: Make ``beta`` a parameter.
        options: ``threshold``, ``reset_mechanism``, ``multi_step`` and the rest, see
            `SpikingNeuron`.

    Shapes:
        As `Leaky`, with two states of one step's shape, ``dend`` and ``mem``.

    Raises:
        ValueError: unless ``feedback`` and ``coupling`` lie from 0 to 1, for ``reset_delay=False``,
            and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.TCLIF(threshold=2.0, multi_step=True)
        >>> x = torch.zeros(60, 1)
        >>> x[0] = 1.0
        >>> spikes, dend, mem = neuron(x)
        >>> mem[:3, 0].detach(), mem[50:].max().item() > 1  # one unit of input, and no leak
        (tensor([0.5000, 0.8750, 1.0312]), True)
    """

    STATES = ("dend", "mem")
    PARAMETERS = ("alpha", "beta", "feedback", "coupling", "gamma")
    RESETS = ("subtract", "zero", "none")

    w_feedback: Tensor
    w_coupling: Tensor
    gamma: Tensor
    alpha: Tensor
    beta: Tensor
    dend: Tensor
    mem: Tensor

    def __init__(
        self,
        feedback: float | Tensor = 0.5,
        coupling: float | Tensor = 0.5,
        gamma: float | Tensor = 0.5,
        *,
        alpha: float | Tensor = 1.0,
        beta: float | Tensor = 1.0,
        learn_coupling: bool = True,
        learn_gamma: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        for name, value in (("feedback", feedback), ("coupling", coupling)):
            self._constant(f"w_{name}", logit(value, name, closed=True), learn_coupling)
        self._constant("gamma", gamma, learn_gamma)
        self._constant("alpha", alpha, learn_alpha)
        self._constant("beta", beta, learn_beta)

    def coefficients(self) -> tuple[Tensor, ...]:
        """Both decays clamped to ``[0, 1]``, ``f``, ``c`` and ``Γ``."""
        feedback, coupling = torch.sigmoid(self.w_feedback), torch.sigmoid(self.w_coupling)
        alpha, beta = self.alpha.clamp(0.0, 1.0), self.beta.clamp(0.0, 1.0)
        return alpha, beta, feedback, coupling, self.gamma

    def forward(
        self, input_: Tensor, dend: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (dend, mem))

    def step(self, current: Tensor, dend: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        alpha, beta, feedback, coupling, gamma = self.coefficients()
        reset, rule = self.mem_reset(mem), self._reset_rule
        mem = rule.subtract(rule.erase(mem, reset), reset, self.firing_threshold(), beta)
        dend = rule.subtract(dend, reset, gamma, alpha)
        dend = self._quantised(alpha * dend - feedback * mem + current)
        mem = self._quantised(beta * mem + coupling * dend)
        _, spikes = self._fired(mem)
        return spikes, (dend, mem)
