"""The parametric leaky neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.constants import logit
from bitspike.neurons.base.neuron import Result, SpikingNeuron

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class PLIF(SpikingNeuron):
    r"""Parametric leaky integrate-and-fire neuron (Fang et al., ICCV 2021).

    .. math::
        U[t] = βU[t-1] + (1 - β)I[t] - R[t]θ, \qquad β = σ(w),
        \qquad S[t] = γ·(U[t] > θ), \qquad R[t] = (U[t-1] > θ)

    The parameter is ``w``, so that a learned ``β`` stays between 0 and 1; in the paper's terms
    ``β = 1 - 1/τ``. ``reset_mechanism="zero"`` takes ``β((1 - R)U) + (1 - β)I``, the hard reset of
    the paper; ``"subtract_beta"`` subtracts ``Rβθ``, which is a subtraction at the end of the step
    that fires; ``"none"`` nothing. With ``reset_delay=False`` the membrane is reset within the step
    that fires.

    Args:
        beta: ``β`` to begin with, between 0 and 1: a number, or a tensor that broadcasts against
            one step. In the paper there is one per layer, 0.5.
        learn_beta: Make ``w`` a parameter.
        options: ``threshold``, ``reset_mechanism``, ``multi_step`` and the rest, see
            `SpikingNeuron`.

    Shapes:
        As `Leaky`.

    Raises:
        ValueError: unless ``0 < beta < 1``, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.PLIF(beta=0.75)
        >>> neuron.beta
        tensor(0.7500, grad_fn=<SigmoidBackward0>)
        >>> spikes, membrane = neuron(torch.tensor([2.0, 6.0]))
        >>> membrane.detach(), spikes.detach()
        (tensor([0.5000, 1.5000]), tensor([0., 1.]))
    """

    NAME = "plif"
    STATES = ("mem",)
    PARAMETERS = ("beta",)
    RESETS = ("subtract", "zero", "none", "subtract_beta")
    IMMEDIATE = True

    w: Tensor
    mem: Tensor

    def __init__(
        self,
        beta: float | Tensor = 0.5,
        *,
        learn_beta: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self._constant("w", logit(beta, "beta"), learn_beta)

    @property
    def beta(self) -> Tensor:
        """The decay per step, ``σ(w)``."""
        return torch.sigmoid(self.w)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (mem,))

    def step(self, current: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        (beta,) = self.coefficients()
        reset = self.mem_reset(mem)
        if self.reset_mechanism == "zero":
            mem = (1 - self._reset_rule.once(reset)) * mem
        mem = beta * mem + (1 - beta) * current
        mem = self._reset_rule.subtract(mem, reset, self.firing_threshold(), beta)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (mem,)
