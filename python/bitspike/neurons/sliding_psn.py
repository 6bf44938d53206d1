"""The parallel spiking neuron with one window for all steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.window import Window

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


class SlidingPSN(Window):
    r"""Sliding parallel spiking neuron (Fang et al., NeurIPS 2023).

    .. math::
        U[t] = \sum_{j=0}^{k-1} w[j] I[t-j] + b, \qquad S[t] = γ·(U[t] > θ)

    Nothing is reset, so that no step waits for another; what a membrane keeps of the past is
    learned tap by tap, and shared by all steps and neurons. Sequences may have any length, and
    single steps keep the last ``k - 1`` currents. SpikingJelly numbers the taps from the oldest on,
    fires at ``U >= 0`` too, and its bias is ``b - θ``. Runs in torch.

    Args:
        k: Steps that the neuron sees, the present one among them.
        learn: Whether ``weight`` ``[k]``, which begins with ``w[j] = 2^-j``, and ``bias``, which
            begins with 0, are parameters.
        options: ``threshold``, ``multi_step`` and the rest, see `SpikingNeuron`; without those for
            resets.

    Shapes:
        As `Leaky`; the states are the last ``k - 1`` currents ``[k-1, B, *]``, oldest first, and
        the membrane ``[B, *]``.

    Raises:
        ValueError: if ``k < 1``, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.SlidingPSN(k=3, multi_step=True)
        >>> spikes, inputs, mem = neuron(torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0]).view(5, 1))
        >>> mem[:, 0].detach(), spikes.dense()[:, 0].detach()
        (tensor([1.0000, 0.5000, 1.2500, 0.5000, 0.2500]), tensor([0., 0., 1., 0., 0.]))
    """

    STATES = ("inputs", "mem")

    weight: Tensor
    bias: Tensor
    inputs: Tensor
    mem: Tensor

    def __init__(self, k: int, *, learn: bool = True, **options: Unpack[Firing]) -> None:
        if k < 1:
            raise ValueError(f"k must be 1 or more, not {k}")
        super().__init__(reset_mechanism=self.RESETS[0], **options)
        self.k = k
        self._constant("weight", 0.5 ** torch.arange(k), learn)
        self._constant("bias", 0.0, learn)

    def extra_repr(self) -> str:
        """The length of the window."""
        return f"k={self.k}"

    def taps(self, steps: int, *others: Tensor) -> tuple[Tensor, Tensor]:
        """The same for all steps."""
        return self.weight, self.bias

    def forward(
        self, input_: Tensor, inputs: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (inputs, mem))
