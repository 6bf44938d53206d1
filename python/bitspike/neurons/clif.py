"""The complementary leaky neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.packing import Packing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class CLIF(Packing, LIF):
    r"""Complementary leaky integrate-and-fire neuron (CLIF; Huang et al., ICML 2024).

    .. math::
        U[t] &= β\big(U[t-1] - R[t](θ + σ(m[t-1]))\big) + I[t], \qquad S[t] = γ·(U[t] > θ) \\
        m[t] &= m[t-1]·σ\big((1 - β)U[t]\big) + S[t], \qquad R[t] = (U[t-1] > θ)

    The complementary potential ``m`` counts recent spikes and forgets slowly while the membrane is
    high. It deepens the reset of a neuron that fires often, and opens a second path through time
    for gradients, which a membrane alone lets vanish. ``(1 - β)`` is the paper's ``1/τ``. The paper
    resets at the end of the step that fires; here the same subtraction comes at the beginning of
    the next one, so that spikes are the same and the membrane is that which was compared with the
    threshold. Spikes reach ``m`` with the surrogate's gradient, the reset is a constant to
    gradients unless ``detach_reset=False``, which is the paper's. Runs as a program.

    Args:
        beta: Decay ``β`` per step, clamped to ``[0, 1]``: a number, or a tensor that broadcasts
            against one step.
        learn_beta: Make ``beta`` a parameter.
        options: ``threshold``, ``multi_step`` and the rest, see `SpikingNeuron`.

    Shapes:
        As `Leaky`, with two states of one step's shape, ``m`` and ``mem``.

    Raises:
        ValueError: for another reset than ``"subtract"``, ``reset_delay=False``, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.CLIF(beta=0.5, multi_step=True)
        >>> spikes, m, mem = neuron(torch.full((3, 1), 1.5))
        >>> spikes.dense()[:, 0], mem[:, 0]  # 0.5·(1.5 - 1 - σ(1)) + 1.5, and so on
        (tensor([1., 1., 1.]), tensor([1.5000, 1.3845, 1.2717]))
    """

    STATES = ("m", "mem")
    PARAMETERS = ("beta",)
    RESETS = ("subtract",)
    IMMEDIATE = False

    m: Tensor
    mem: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        *,
        learn_beta: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(beta, learn_beta=learn_beta, **options)

    def forward(self, input_: Tensor, m: Tensor | None = None, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (m, mem))

    def step(self, current: Tensor, m: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        (beta,) = self.coefficients()
        depth = self.firing_threshold() + torch.sigmoid(m)
        mem = self._reset_rule.subtract(mem, self.mem_reset(mem), depth, beta)
        mem = self._quantised(beta * mem + current)
        fired, spikes = self._fired(mem)
        m = m * torch.sigmoid((1 - beta) * mem) + fired
        return spikes, (self._quantised(m), mem)
