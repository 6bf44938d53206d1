"""The leaky integrate-and-fire neuron of textbooks, in any units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.constants import may_be_read
from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class RefractoryLeaky(LIF):
    r"""Leaky integrate-and-fire neuron with resting and reset potentials and a refractory period.

    The model of textbooks (Gerstner et al., Neuronal Dynamics, 2014, section 1.3), in any units.
    With ``R[t] = (U[t-1] > θ)`` the states are a counter ``h`` and the membrane ``U``:

    .. math::
        h[t] &= n \text{ if } R[t] \text{, else } \max(h[t-1] - 1, 0) \\
        V[t] &= V_\text{reset} \text{ if } R[t] \text{, else } U[t-1] \\
        U[t] &= V_\text{reset} \text{ if } h[t] > 0 \text{, else }
                V_\text{rest} + β(V[t] - V_\text{rest}) + gI[t] \\
        S[t] &= γ·(U[t] > θ)

    A spike is followed by ``n`` steps that hold the membrane at ``V_reset`` and ignore the input;
    the step after them integrates from ``V_reset``. With ``n = 0`` that is the step right after the
    spike. The gain ``g`` is 1, or with ``decay_input=True`` it is ``1 - β``: then ``βU + (1 - β)I``
    is the exact solution of ``τU' = -(U - V_rest) + I`` over ``Δt`` if ``β = exp(-Δt/τ)``.

    Args:
        beta: Decay ``β`` per step, clamped to ``[0, 1]``.
        refractory: ``n``, a number of steps, 0 or more.
        v_rest: ``V_rest``, where the membrane also starts.
        v_reset: ``V_reset``, not above the threshold.
        decay_input: Weigh the input by ``1 - β``.
        learn_beta: Make ``beta`` a parameter.
        learn_v_rest: Make ``v_rest`` a parameter.
        learn_v_reset: Make ``v_reset`` a parameter.
        options: ``threshold``, ``multi_step`` and the rest, see `SpikingNeuron`. The reset is
            ``"zero"``, to ``v_reset``.

    ``beta``, ``refractory``, ``v_rest``, ``v_reset`` and ``threshold`` are numbers, or tensors that
    broadcast against one step.

    Shapes:
        As `Leaky`, with two states of one step's shape, the counter and the membrane.

    Raises:
        ValueError: unless ``refractory`` is a whole number from 0 and ``v_reset`` is at most
            ``threshold``; for another reset, ``reset_delay=False``, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        A cell at rest at -65 mV with 20 ms of membrane time constant and 2 ms of refractory period,
        in steps of 1 ms, driven by 25 mV:

        >>> import torch, bitspike as snn
        >>> cell = snn.RefractoryLeaky(
        ...     beta=0.951, refractory=2, v_rest=-65.0, v_reset=-65.0, threshold=-50.0,
        ...     decay_input=True, multi_step=True)
        >>> spikes, hold, mem = cell(torch.full((60, 1), 25.0))
        >>> spikes.dense()[:, 0].nonzero()[:, 0]
        tensor([18, 39])
        >>> mem[17:22, 0]
        tensor([-50.1202, -49.6243, -65.0000, -65.0000, -63.7750])
    """

    NAME = "refractory_leaky"
    STATES = ("hold", "mem")
    PARAMETERS = ("beta", "gain", "v_rest", "v_reset", "refractory")
    RESETS = ("zero",)
    IMMEDIATE = False

    v_rest: Tensor
    v_reset: Tensor
    refractory: Tensor
    hold: Tensor
    mem: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        refractory: float | Tensor = 0,
        v_rest: float | Tensor = 0.0,
        v_reset: float | Tensor = 0.0,
        *,
        decay_input: bool = False,
        learn_beta: bool = False,
        learn_v_rest: bool = False,
        learn_v_reset: bool = False,
        **options: Unpack[Options],
    ) -> None:
        options.setdefault("reset_mechanism", "zero")
        super().__init__(beta, learn_beta=learn_beta, **options)
        self.decay_input = decay_input
        self._constant("v_rest", v_rest, learn_v_rest)
        self._constant("v_reset", v_reset, learn_v_reset)
        self._constant("refractory", refractory, False)
        steps = self.refractory
        if may_be_read(steps) and bool(((steps < 0) | (steps != steps.round())).any()):
            raise ValueError(f"refractory must be a number of steps, not {refractory}")
        known = may_be_read(self.v_reset) and may_be_read(self.threshold)
        if known and bool((self.v_reset > self.threshold).any()):
            raise ValueError(
                f"v_reset must not be above threshold; it is {v_reset}, and the threshold "
                f"{self.threshold}"
            )

    def coefficients(self) -> tuple[Tensor, ...]:
        """The decay, clamped to ``[0, 1]``, the gain of the input, and the constants."""
        beta = self.beta.clamp(0.0, 1.0)
        gain = 1 - beta if self.decay_input else torch.ones_like(beta)
        return beta, gain, self.v_rest, self.v_reset, self.refractory

    def rest(self) -> tuple[float | Tensor, ...]:
        """Nothing is held, and the membrane is at ``v_rest``."""
        return 0.0, self.v_rest

    def forward(
        self, input_: Tensor, hold: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (hold, mem))

    def step(self, current: Tensor, hold: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        beta, gain, v_rest, v_reset, refractory = self.coefficients()
        reset = self._reset_rule.once(self.mem_reset(mem))
        hold = torch.where(reset > 0, refractory, torch.relu(hold - 1))
        mem = reset * v_reset + (1 - reset) * mem
        mem = v_rest + beta * (mem - v_rest) + gain * current
        mem = torch.where(hold > 0, v_reset, mem)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (hold, mem)
