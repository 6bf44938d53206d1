"""The leaky neuron whose decay depends on its activity."""

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


class ModulatedLeaky(Packing):
    r"""Leaky neuron whose decay follows its own activity: `PLIF` with a liquid time constant.

    .. math::
        β[t] = σ(b + c·r[t-1]), \qquad U[t] = β[t]U[t-1] + (1 - β[t])I[t] - R[t]θ, \qquad
        r[t] = ρr[t-1] + S[t]

    Time constants that depend on a neuron's state are those of Hasani et al. (2021) and, in spiking
    neurons, of Yin, Corradi and Bohté (2023, Nature Machine Intelligence); here they depend on a
    trace ``r`` of the neuron's spikes, which costs no weights. With ``c > 0`` a neuron that has
    fired holds what it has and hardly listens, with ``c < 0`` it forgets faster. With ``c = 0`` it
    is `PLIF`. Spikes reach ``r`` with the surrogate's gradient. Resets are those of `PLIF`. Runs in
    torch.

    Args:
        beta: ``σ(b)``, the decay of a neuron that has not fired, between 0 and 1: a number, or a
            tensor that broadcasts against one step.
        gain: ``c`` to begin with, likewise; a tensor gives each neuron its own.
        rho: Decay ``ρ`` of the trace per step, clamped to ``[0, 1]``, likewise.
        learn_beta: Make ``b``, named ``w`` as in `PLIF`, a parameter.
        learn_gain: Make ``gain`` a parameter.
        learn_rho: Make ``rho`` a parameter.
        options: ``threshold``, ``reset_mechanism``, ``multi_step`` and the rest, see
            `SpikingNeuron`.

    Shapes:
        As `Leaky`, with two states of one step's shape, ``r`` and ``mem``.

    Raises:
        ValueError: unless ``0 < beta < 1``, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.ModulatedLeaky(beta=0.5, gain=4.0, rho=1.0)
        >>> spikes, r, mem = neuron(torch.tensor([3.0]))
        >>> spikes, r, mem = neuron(torch.tensor([0.0]), r, mem)
        >>> neuron.decay(r), mem.detach()  # after a spike 0.98 is kept per step
        (tensor([0.9820], grad_fn=<SigmoidBackward0>), tensor([0.4730]))
    """

    STATES = ("r", "mem")
    PARAMETERS = ("beta", "gain", "rho")
    RESETS = ("subtract", "zero", "none", "subtract_beta")
    IMMEDIATE = True

    w: Tensor
    gain: Tensor
    rho: Tensor
    r: Tensor
    mem: Tensor

    def __init__(
        self,
        beta: float | Tensor = 0.5,
        gain: float | Tensor = 0.0,
        rho: float | Tensor = 0.9,
        *,
        learn_beta: bool = True,
        learn_gain: bool = True,
        learn_rho: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self._constant("w", logit(beta, "beta"), learn_beta)
        self._constant("gain", gain, learn_gain)
        self._constant("rho", rho, learn_rho)

    def coefficients(self) -> tuple[Tensor, ...]:
        """``b``, ``c``, and ``ρ`` clamped to ``[0, 1]``."""
        return self.w, self.gain, self.rho.clamp(0.0, 1.0)

    def decay(self, r: Tensor) -> Tensor:
        """The decay ``β`` of the step after a trace ``r``."""
        w, gain, _ = self.coefficients()
        return torch.sigmoid(w + gain * r)

    def forward(self, input_: Tensor, r: Tensor | None = None, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (r, mem))

    def step(self, current: Tensor, r: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        *_, rho = self.coefficients()
        beta = self.decay(r)
        reset = self.mem_reset(mem)
        if self.reset_mechanism == "zero":
            mem = (1 - self._reset_rule.once(reset)) * mem
        mem = beta * mem + (1 - beta) * current
        mem = self._quantised(self._reset_rule.subtract(mem, reset, self.firing_threshold(), beta))
        fired, spikes = self._fired(mem)
        mem = self._reset_rule.at_once(mem, fired, reset, self.firing_threshold())
        return spikes, (self._quantised(rho * r + fired), mem)
