"""The conductance-based leaky neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from bitspike.neurons.base.biophysical import Biophysical
from bitspike.neurons.base.neuron import Result
from bitspike.neurons.base.packing import Packing

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


class CobaLIF(Packing, Biophysical):
    r"""Conductance-based leaky integrate-and-fire neuron (Vogels and Abbott 2005).

    .. math::
        τU' = (u_\text{rest} - U) + g_e(E_e - U) + g_i(E_i - U), \qquad
        τ_e g_e' = -g_e, \qquad τ_i g_i' = -g_i

    Conductances are counted in leak conductances. A positive input adds to ``g_e``, a negative one
    takes its magnitude to ``g_i``; so inputs of both signs cancel if they arrive at a neuron in one
    step. The more the membrane approaches a reversal potential, the less an input moves it; an open
    conductance also shortens the membrane's time constant, which divides other inputs (shunting).
    A spike, ``U > θ``, is followed by ``U = u_reset`` in the next step.

    One step of length ``dt`` decays the conductances, adds the input, and then takes the exact
    solution for conductances that stay so (exponential Euler), which no conductance makes unstable:

    .. math::
        g_e[t] &= e^{-dt/τ_e}g_e[t-1] + \max(I[t], 0), \qquad
        g_i[t] = e^{-dt/τ_i}g_i[t-1] + \max(-I[t], 0) \\
        G &= 1 + g_e + g_i, \qquad U_∞ = (u_\text{rest} + g_e E_e + g_i E_i)/G, \qquad
        U[t] = U_∞ + (U[t-1] - U_∞)e^{-G\,dt/τ}

    Runs as a program.

    Args:
        tau: ``τ = C/g_L`` in ms.
        tau_exc: ``τ_e`` in ms. 5 ms is a fast synapse (AMPA), 100 ms a slow one (NMDA), which
            remembers.
        tau_inh: ``τ_i`` in ms.
        u_rest: Resting potential in mV.
        e_exc: ``E_e`` in mV.
        e_inh: ``E_i`` in mV.
        u_reset: Membrane after a spike in mV.
        dt: Step in ms.
        learn_tau: Make ``tau`` a parameter.
        learn_tau_exc: Make ``tau_exc`` a parameter.
        learn_tau_inh: Make ``tau_inh`` a parameter.
        learn_e_exc: Make ``e_exc`` a parameter.
        learn_e_inh: Make ``e_inh`` a parameter.
        learn_u_reset: Make ``u_reset`` a parameter.
        options: ``threshold`` (-50 mV), ``multi_step`` and the rest, see `SpikingNeuron`; without
            those for resets.

    Shapes:
        As `Leaky`, with three states of one step's shape, ``g_exc``, ``g_inh`` and ``mem``.

    Raises:
        ValueError: unless the time constants and ``dt`` are positive, and as `Biophysical`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.CobaLIF(multi_step=True, dt=1.0)
        >>> x = torch.zeros(40, 1)
        >>> x[[5, 6, 7]] = 0.5
        >>> spikes, g_exc, g_inh, mem = neuron(x)
        >>> spikes.dense()[:, 0].nonzero()[:, 0], g_exc[[7, 12], 0]
        (tensor([9]), tensor([1.2445, 0.4578]))
    """

    STATES = ("g_exc", "g_inh", "mem")
    PARAMETERS = ("tau", "tau_exc", "tau_inh", "u_rest", "e_exc", "e_inh", "u_reset")
    THRESHOLD: ClassVar[float] = -50.0

    tau: Tensor
    tau_exc: Tensor
    tau_inh: Tensor
    u_rest: Tensor
    e_exc: Tensor
    e_inh: Tensor
    u_reset: Tensor
    g_exc: Tensor
    g_inh: Tensor
    mem: Tensor

    def __init__(
        self,
        tau: float | Tensor = 20.0,
        tau_exc: float | Tensor = 5.0,
        tau_inh: float | Tensor = 10.0,
        *,
        u_rest: float | Tensor = -60.0,
        e_exc: float | Tensor = 0.0,
        e_inh: float | Tensor = -80.0,
        u_reset: float | Tensor = -60.0,
        dt: float = 0.1,
        learn_tau: bool = False,
        learn_tau_exc: bool = False,
        learn_tau_inh: bool = False,
        learn_e_exc: bool = False,
        learn_e_inh: bool = False,
        learn_u_reset: bool = False,
        **options: Unpack[Firing],
    ) -> None:
        super().__init__(dt, **options)
        self._positive("tau", tau, learn_tau)
        self._positive("tau_exc", tau_exc, learn_tau_exc)
        self._positive("tau_inh", tau_inh, learn_tau_inh)
        self._constant("u_rest", u_rest, False)
        self._constant("e_exc", e_exc, learn_e_exc)
        self._constant("e_inh", e_inh, learn_e_inh)
        self._constant("u_reset", u_reset, learn_u_reset)

    def rest(self) -> tuple[float | Tensor, ...]:
        """No conductance is open, and the membrane is at ``u_rest``."""
        return 0.0, 0.0, self.u_rest

    def forward(
        self,
        input_: Tensor,
        g_exc: Tensor | None = None,
        g_inh: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (g_exc, g_inh, mem))

    def step(
        self, current: Tensor, g_exc: Tensor, g_inh: Tensor, mem: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        tau, tau_exc, tau_inh, u_rest, e_exc, e_inh, u_reset = self.coefficients()
        mem = self._set(mem, self.mem_reset(mem), u_reset)
        g_exc = self._quantised(torch.exp(-self.dt / tau_exc) * g_exc + torch.relu(current))
        g_inh = self._quantised(torch.exp(-self.dt / tau_inh) * g_inh + torch.relu(-current))
        total = 1 + g_exc + g_inh
        limit = (u_rest + g_exc * e_exc + g_inh * e_inh) / total
        mem = self._quantised(limit + (mem - limit) * torch.exp(-self.dt / tau * total))
        _, spikes = self._fired(mem)
        return spikes, (g_exc, g_inh, mem)
