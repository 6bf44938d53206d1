"""The leaky neuron with a learned slope."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class KLIF(LIF):
    r"""Leaky integrate-and-fire neuron that scales its membrane (KLIF; Jiang & Zhang, 2023).

    .. math::
        F[t] = \mathrm{relu}\big(k(β(F[t-1] - R[t]θ) + I[t])\big), \qquad S[t] = γ·(F[t] > θ),
        \qquad R[t] = (F[t-1] > θ)

    ``k`` stretches the membrane around the threshold, and thereby sets how wide the surrogate
    gradient is; the ReLU keeps what lies below 0 from the next step. Firing and reset act on
    ``F``, which is the state: ``reset_mechanism="zero"`` sets it to 0 before it is integrated,
    ``"none"`` leaves it.

    Args:
        beta: Decay ``β`` per step, clamped to ``[0, 1]``: a number, or a tensor that broadcasts
            against one step.
        k: ``k``, likewise.
        learn_beta: Make ``beta`` a parameter.
        learn_k: Make ``k`` a parameter.
        options: ``threshold``, ``reset_mechanism``, ``multi_step`` and the rest, see
            `SpikingNeuron`.

    Shapes:
        As `Leaky`.

    Raises:
        ValueError: for ``reset_delay=False``, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.KLIF(beta=0.5, k=2.0, learn_k=False)
        >>> spikes, membrane = neuron(torch.tensor([0.75, -1.0]))
        >>> spikes, membrane
        (tensor([1., 0.]), tensor([1.5000, 0.0000]))
        >>> neuron(torch.tensor([0.25, 0.25]), membrane)
        (tensor([0., 0.]), tensor([1.0000, 0.5000]))
    """

    NAME = "klif"
    STATES = ("mem",)
    PARAMETERS = ("beta", "k")
    RESETS = ("subtract", "zero", "none")
    IMMEDIATE = False

    k: Tensor
    mem: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        k: float | Tensor = 1.0,
        *,
        learn_beta: bool = False,
        learn_k: bool = True,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(beta, learn_beta=learn_beta, **options)
        self._constant("k", k, learn_k)

    def coefficients(self) -> tuple[Tensor, ...]:
        """The decay, clamped to ``[0, 1]``, and ``k``."""
        return self.beta.clamp(0.0, 1.0), self.k

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (mem,))

    def step(self, current: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        beta, k = self.coefficients()
        reset = self.mem_reset(mem)
        if self.reset_mechanism == "zero":
            mem = (1 - self._reset_rule.once(reset)) * mem
        mem = self._reset_rule.subtract(mem, reset, self.firing_threshold(), beta)
        mem = torch.relu(k * (beta * mem + current))
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (mem,)
