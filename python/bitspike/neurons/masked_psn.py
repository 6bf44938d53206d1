"""The parallel spiking neuron with a window for each step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.fixed_steps import expect_steps, over_time
from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.run import Run
from bitspike.neurons.base.window import Window

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


class MaskedPSN(Window):
    r"""Masked parallel spiking neuron (Fang et al., NeurIPS 2023).

    .. math::
        U[t] = \sum_{s} (W ⊙ M)[t, s]\,I[s] + b[t], \qquad S[t] = γ·(U[t] > θ), \qquad
        M[t, s] = \begin{cases} 1 & t - k < s \le t \\ 1 - λ & \text{else} \end{cases}

    `PSN` with a mask, under which a step sees itself and the ``k - 1`` before it: with ``λ = 1``
    the neuron is causal, and runs in single steps as well. The paper begins training with ``λ = 0``
    and raises it to 1: set :attr:`masking`. With ``λ < 1`` a step depends on the future, and only
    whole sequences run.

    Single steps count themselves; after the last of ``T`` a new sequence begins, in which the
    currents before are not seen. SpikingJelly fires at ``U >= 0`` too, and its bias is ``b - θ``.
    Runs in torch.

    Args:
        T: Steps of a sequence.
        k: Steps that the neuron sees, at most ``T``.
        masking: ``λ`` to begin with, from 0 to 1.
        learn: Whether ``weight`` ``[T, T]``, uniform within ``±1/√k`` to begin with, and ``bias``
            ``[T]``, 0 to begin with, are parameters.
        options: ``threshold``, ``multi_step`` and the rest, see `SpikingNeuron`; without those for
            resets.

    Shapes:
        As `Leaky`, sequences of ``T`` steps; the states are the last ``k - 1`` currents
        ``[k-1, B, *]``, oldest first, the number of steps so far, without axes, and the membrane.

    Raises:
        ValueError: unless ``1 <= k <= T``, for a sequence of another length, ``masking`` outside of
            0 to 1, a single step with ``masking < 1``, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.MaskedPSN(T=4, k=2, init_hidden=True)
        >>> x = torch.randn(4, 3)
        >>> steps = torch.stack([neuron(current) for current in x])
        >>> steps.equal(neuron.run_sequence(x).dense())
        True
    """

    STATES = ("inputs", "t", "mem")

    weight: Tensor
    bias: Tensor
    inputs: Tensor
    t: Tensor
    mem: Tensor

    def __init__(
        self,
        T: int,
        k: int,
        *,
        masking: float = 1.0,
        learn: bool = True,
        **options: Unpack[Firing],
    ) -> None:
        if not 1 <= k <= T:
            raise ValueError(f"k must be from 1 to T, which is {T}, not {k}")
        super().__init__(reset_mechanism=self.RESETS[0], **options)
        self.T, self.k = T, k
        self.masking = masking
        self._constant("weight", (2 * torch.rand(T, T) - 1) / k**0.5, learn)
        self._constant("bias", torch.zeros(T), learn)

    @property
    def masking(self) -> float:
        """``λ``, how far weights outside of the window are masked: 1 for all of it."""
        return self._masking

    @masking.setter
    def masking(self, value: float) -> None:
        if not 0 <= value <= 1:
            raise ValueError(f"masking must be from 0 to 1, not {value}")
        self._masking = float(value)

    def extra_repr(self) -> str:
        """The lengths of sequence and window, and how far the rest is masked."""
        return f"T={self.T}, k={self.k}, masking={self.masking}"

    def masked_weight(self) -> Tensor:
        """``W ⊙ M``, ``[T, T]``."""
        ones = torch.ones_like(self.weight)
        window = ones.tril() * ones.triu(1 - self.k)
        return self.weight * (1 - self.masking * (1 - window))

    def taps(self, steps: int, *others: Tensor) -> tuple[Tensor, Tensor]:
        """Those of steps ``t, t + 1, …``, which count anew behind the last."""
        index = self._indices(steps, *others).long().clamp(0, self.T - 1)
        past = index.unsqueeze(1) - torch.arange(self.k, device=index.device)
        chosen = self.weight.index_select(0, index).gather(1, past.clamp(min=0))
        return torch.where(past < 0, 0, chosen), self.bias.index_select(0, index)

    def others_after(self, steps: int, *others: Tensor) -> tuple[Tensor, ...]:
        """How many steps there were."""
        return (self._indices(steps, *others) + 1,)

    def _indices(self, steps: int, t: Tensor) -> Tensor:
        """Which steps of a sequence follow the first ``t``."""
        ahead = torch.arange(steps, device=t.device, dtype=t.dtype)
        return (t.detach() + ahead).remainder(self.T)

    def membrane(self, currents: Tensor, *others: Tensor) -> Tensor:
        """The membranes ``[steps, B, *]`` of currents ``[k - 1 + steps, B, *]``."""
        if self.masking == 1:
            return super().membrane(currents, *others)
        return over_time(self.masked_weight(), currents[self.k - 1 :], self.bias)

    def forward(
        self,
        input_: Tensor,
        inputs: Tensor | None = None,
        t: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (inputs, t, mem))

    def run(self, current: Tensor, initial: list[Tensor], *, sequence: bool, states: bool) -> Run:
        """See :meth:`SpikingNeuron.run`."""
        if sequence:
            expect_steps(self, current, self.T)
        elif self.masking != 1:
            raise ValueError(
                f"masking must be 1 for single steps, because a step depends on later ones while "
                f"it is {self.masking}"
            )
        return super().run(current, initial, sequence=sequence, states=states)
