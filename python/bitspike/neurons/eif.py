"""The exponential integrate-and-fire neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.biophysical import Biophysical, upstroke
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


class EIF(Biophysical):
    r"""Exponential integrate-and-fire neuron (Fourcaud-Trocmé et al. 2003).

    .. math::
        U[t] = U' + \frac{dt}{τ}(-(U' - u_\mathrm{rest}) + Δ_T e^{(U' - V_T)/Δ_T} + R I[t]), \qquad
        U' = \begin{cases} u_\mathrm{reset} & U[t-1] > θ \\ U[t-1] & \text{else} \end{cases}

    and ``S[t] = (U[t] > θ)``. The exponential starts the spike as sodium channels do, at about
    ``V_T``. The reset is the model's own and begins a step, so that the membrane is seen above
    threshold for the one step that fires. Units are mV and ms.

    The exponent is capped at 10: above ``V_T + 10Δ_T`` the exponential is constant, and its
    derivative 0. It is so steep there that the spike comes at once, and nothing overflows.

    Args:
        tau: Time constant ``τ`` of the membrane: a number, or a tensor that broadcasts against one
            step, like all that follow.
        u_rest: Resting potential, from which the membrane starts.
        delta_t: Sharpness ``Δ_T`` of the spike's onset.
        v_t: Potential ``V_T`` at which the spike starts.
        u_reset: Potential after a spike.
        resistance: ``R``, what a unit of input current counts in mV.
        dt: Length of a step: stable below ``2τ``, 20 ms by default; spike times need less than 0.5
            ms.
        learn_tau: Make ``tau`` a parameter.
        learn_delta_t: Make ``delta_t`` a parameter.
        learn_v_t: Make ``v_t`` a parameter.
        learn_u_reset: Make ``u_reset`` a parameter.
        learn_resistance: Make ``resistance`` a parameter.
        options: See `SpikingNeuron`; ``threshold`` is -30 mV by default. There is no choice of
            reset.

    Shapes:
        As `Leaky`.

    Raises:
        ValueError: as `Leaky`, and if ``tau``, ``delta_t`` or ``dt`` is not positive.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.EIF(dt=0.5, multi_step=True)
        >>> spikes, mem = neuron(torch.full((200, 1), 10.0))
        >>> spikes.sum()
        tensor(6.)
    """

    NAME = "eif"
    STATES = ("mem",)
    PARAMETERS = ("rate", "u_rest", "delta_t", "v_t", "u_reset", "resistance")
    THRESHOLD = -30.0

    tau: Tensor
    u_rest: Tensor
    delta_t: Tensor
    v_t: Tensor
    u_reset: Tensor
    resistance: Tensor
    mem: Tensor

    def __init__(
        self,
        tau: float | Tensor = 10.0,
        u_rest: float | Tensor = -65.0,
        delta_t: float | Tensor = 3.48,
        v_t: float | Tensor = -59.9,
        u_reset: float | Tensor = -68.0,
        resistance: float | Tensor = 1.0,
        *,
        dt: float = 0.1,
        learn_tau: bool = False,
        learn_delta_t: bool = False,
        learn_v_t: bool = False,
        learn_u_reset: bool = False,
        learn_resistance: bool = False,
        **options: Unpack[Firing],
    ) -> None:
        super().__init__(dt, **options)
        self._positive("tau", tau, learn_tau)
        self._constant("u_rest", u_rest, False)
        self._positive("delta_t", delta_t, learn_delta_t)
        self._constant("v_t", v_t, learn_v_t)
        self._constant("u_reset", u_reset, learn_u_reset)
        self._constant("resistance", resistance, learn_resistance)

    def coefficients(self) -> tuple[Tensor, ...]:
        """The numbers of the equation, of which the first is ``dt/τ``."""
        rate = self.dt / self.tau
        return rate, self.u_rest, self.delta_t, self.v_t, self.u_reset, self.resistance

    def rest(self) -> tuple[float | Tensor, ...]:
        """The membrane is at ``u_rest``."""
        return (self.u_rest,)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (mem,))

    def step(self, current: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        rate, u_rest, delta_t, v_t, u_reset, resistance = self.coefficients()
        reset = self.mem_reset(mem)
        mem = self._set(mem, reset, u_reset)
        drift = (u_rest - mem) + upstroke(mem, v_t, delta_t)
        mem = mem + rate * (drift + resistance * current)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (mem,)
