"""The current-based leaky neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class CuBaLIF(LIF):
    r"""Current-based leaky integrate-and-fire neuron, `Synaptic` with two gains.

    .. math::
        I_s[t] = αI_s[t-1] + wI[t], \qquad U[t] = βU[t-1] + rI_s[t] - R[t]θ,
        \qquad S[t] = γ·(U[t] > θ), \qquad R[t] = (U[t-1] > θ)

    with ``α`` and ``β`` clamped to ``[0, 1]``. It is the ``CubaLIF`` of NIR (Pedersen et al., Nat.
    Commun. 2024), discretised: ``w`` scales what enters the synapse, ``r`` what the synapse sends
    to the membrane. Resets are those of `Synaptic`, on the membrane alone.

    Args:
        alpha: Decay ``α`` of the synaptic current per step: a number, or a tensor that broadcasts
            against one step.
        beta: Decay ``β`` of the membrane, likewise.
        w_in: ``w``, likewise.
        r: ``r``, likewise.
        learn_alpha: Make ``alpha`` a parameter.
        learn_beta: Make ``beta`` a parameter.
        learn_w_in: Make ``w_in`` a parameter.
        learn_r: Make ``r`` a parameter.
        options: ``threshold``, ``reset_mechanism``, ``multi_step`` and the rest, see
            `SpikingNeuron`.

    Shapes:
        As `Leaky`, with two states of one step's shape.

    Raises:
        ValueError: as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.CuBaLIF(alpha=0.5, beta=0.5, w_in=2.0, r=0.5)
        >>> spikes, syn, mem = neuron(torch.tensor([1.0]))
        >>> spikes, syn, mem = neuron(torch.tensor([0.5]), syn, mem)
        >>> spikes, syn, mem
        (tensor([1.]), tensor([2.]), tensor([1.5000]))
    """

    NAME = "cuba_lif"
    STATES = ("syn", "mem")
    PARAMETERS = ("alpha", "beta", "w_in", "r")

    alpha: Tensor
    w_in: Tensor
    r: Tensor
    syn: Tensor
    mem: Tensor

    def __init__(
        self,
        alpha: float | Tensor,
        beta: float | Tensor,
        w_in: float | Tensor = 1.0,
        r: float | Tensor = 1.0,
        *,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_w_in: bool = False,
        learn_r: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(beta, learn_beta=learn_beta, **options)
        self._constant("alpha", alpha, learn_alpha)
        self._constant("w_in", w_in, learn_w_in)
        self._constant("r", r, learn_r)

    def coefficients(self) -> tuple[Tensor, ...]:
        """Both decays, clamped to ``[0, 1]``, and both gains."""
        return self.alpha.clamp(0.0, 1.0), self.beta.clamp(0.0, 1.0), self.w_in, self.r

    def forward(
        self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (syn, mem))

    def step(self, current: Tensor, syn: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        alpha, beta, w_in, r = self.coefficients()
        reset = self.mem_reset(mem)
        syn = alpha * syn + w_in * current
        mem = self._reset_rule.erase(beta * mem + r * syn, reset)
        mem = self._reset_rule.subtract(mem, reset, self.firing_threshold(), beta)
        syn = self._quantised(syn)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (syn, mem)
