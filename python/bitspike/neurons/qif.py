"""The quadratic integrate-and-fire neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.biophysical import Biophysical
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


class QIF(Biophysical):
    r"""Quadratic integrate-and-fire neuron (Latham et al. 2000; Gerstner et al. 2014, section 5.3).

    .. math::
        U[t] = U' + \frac{dt}{τ}(a_0 (U' - u_\mathrm{rest})(U' - u_c) + R I[t]), \qquad
        U' = \begin{cases} u_\mathrm{reset} & U[t-1] > θ \\ U[t-1] & \text{else} \end{cases}

    and ``S[t] = (U[t] > θ)``. Below the critical ``u_c`` the membrane returns to ``u_rest``, above
    it runs away: a constant current makes it fire from ``RI = a_0(u_c - u_rest)²/4`` on, as rarely
    as one likes. The reset is the model's own and begins a step, so that the membrane is seen above
    threshold for the one step that fires. Units are mV and ms.

    Args:
        tau: Time constant ``τ`` of the membrane: a number, or a tensor that broadcasts against one
            step, like all that follow.
        a0: Curvature ``a_0``, per mV.
        u_rest: Resting potential, from which the membrane starts.
        u_c: Critical potential.
        u_reset: Potential after a spike.
        resistance: ``R``, what a unit of input current counts in mV.
        dt: Length of a step: stable below ``2τ/(a_0(u_c - u_rest))``, 33 ms by default; spike times
            need less than 1 ms.
        learn_tau: Make ``tau`` a parameter.
        learn_a0: Make ``a0`` a parameter.
        learn_u_c: Make ``u_c`` a parameter.
        learn_u_reset: Make ``u_reset`` a parameter.
        learn_resistance: Make ``resistance`` a parameter.
        options: See `SpikingNeuron`; ``threshold`` is 30 mV by default. There is no choice of
            reset.

    Shapes:
        As `Leaky`.

    Raises:
        ValueError: as `Leaky`, and if ``tau``, ``a0`` or ``dt`` is not positive.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.QIF(dt=1.0, multi_step=True)
        >>> spikes, mem = neuron(torch.full((100, 1), 20.0))
        >>> spikes.sum()
        tensor(4.)
    """

    NAME = "qif"
    STATES = ("mem",)
    PARAMETERS = ("rate", "a0", "u_rest", "u_c", "u_reset", "resistance")
    THRESHOLD = 30.0

    tau: Tensor
    a0: Tensor
    u_rest: Tensor
    u_c: Tensor
    u_reset: Tensor
    resistance: Tensor
    mem: Tensor

    def __init__(
        self,
        tau: float | Tensor = 10.0,
        a0: float | Tensor = 0.04,
        u_rest: float | Tensor = -65.0,
        u_c: float | Tensor = -50.0,
        u_reset: float | Tensor = -70.0,
        resistance: float | Tensor = 1.0,
        *,
        dt: float = 0.1,
        learn_tau: bool = False,
        learn_a0: bool = False,
        learn_u_c: bool = False,
        learn_u_reset: bool = False,
        learn_resistance: bool = False,
        **options: Unpack[Firing],
    ) -> None:
        super().__init__(dt, **options)
        self._positive("tau", tau, learn_tau)
        self._positive("a0", a0, learn_a0)
        self._constant("u_rest", u_rest, False)
        self._constant("u_c", u_c, learn_u_c)
        self._constant("u_reset", u_reset, learn_u_reset)
        self._constant("resistance", resistance, learn_resistance)

    def coefficients(self) -> tuple[Tensor, ...]:
        """The numbers of the equation, of which the first is ``dt/τ``."""
        rate = self.dt / self.tau
        return rate, self.a0, self.u_rest, self.u_c, self.u_reset, self.resistance

    def rest(self) -> tuple[float | Tensor, ...]:
        """The membrane is at ``u_rest``."""
        return (self.u_rest,)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (mem,))

    def step(self, current: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        rate, a0, u_rest, u_c, u_reset, resistance = self.coefficients()
        reset = self.mem_reset(mem)
        mem = self._set(mem, reset, u_reset)
        drift = a0 * (mem - u_rest) * (mem - u_c)
        mem = mem + rate * (drift + resistance * current)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (mem,)
