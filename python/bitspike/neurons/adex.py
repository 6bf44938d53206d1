"""The adaptive exponential integrate-and-fire neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.biophysical import Biophysical, upstroke
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


def _pattern(
    c: float, g_l: float, e_l: float, a: float, tau_w: float, b: float, u_reset: float
) -> dict[str, float]:
    """A row of the table of Naud et al. (2008): ``C`` in pF, ``g_L`` and ``a`` in nS."""
    membrane = dict(tau=c / g_l, resistance=1 / g_l, u_rest=e_l, v_t=-50.0, delta_t=2.0)
    return membrane | dict(a=a, tau_w=tau_w, b=b, u_reset=u_reset)


class AdEx(Biophysical):
    r"""Adaptive exponential integrate-and-fire neuron (Brette and Gerstner 2005).

    .. math::
        U[t] &= U' + \frac{dt}{τ}(-(U' - u_\mathrm{rest}) + Δ_T e^{(U' - V_T)/Δ_T}
        + R(I[t] - w')) \\
        w[t] &= w' + \frac{dt}{τ_w}(a(U' - u_\mathrm{rest}) - w') \\
        (U', w') &= \begin{cases} (u_\mathrm{reset}, w[t-1] + b) & U[t-1] > θ \\
        (U[t-1], w[t-1]) & \text{else} \end{cases}

    and ``S[t] = (U[t] > θ)``. The current ``w`` opposes the input: it follows the membrane with
    ``a`` and grows by ``b`` with each spike. The reset is the model's own and begins a step, so
    that the membrane is seen above threshold for the one step that fires. Units are mV, ms, pA, nS
    and GΩ; the defaults are those of the paper, with ``τ = C/g_L`` and ``R = 1/g_L``.

    The exponent is capped at 10: above ``V_T + 10Δ_T`` the exponential is constant, and its
    derivative 0. It is so steep there that the spike comes at once, and nothing overflows.

    ``AdEx.preset(name)`` has the parameters of Naud et al. (2008). In that paper, these steps of
    current make the neuron fire in the way of the name:

    ======================== =======
    name                     current
    ======================== =======
    ``tonic``                500 pA
    ``adapting``             500 pA
    ``initial_burst``        400 pA
    ``bursting``             210 pA
    ``delayed_accelerating`` 300 pA
    ``delayed_bursting``     110 pA
    ``transient``            180 pA
    ``irregular``            160 pA
    ======================== =======

    Args:
        tau: Time constant ``τ`` of the membrane: a number, or a tensor that broadcasts against one
            step, like all that follow.
        u_rest: Resting potential, from which the membrane starts.
        delta_t: Sharpness ``Δ_T`` of the spike's onset.
        v_t: Potential ``V_T`` at which the spike starts.
        u_reset: Potential after a spike.
        resistance: ``R``, what a unit of current counts in mV.
        tau_w: Time constant ``τ_w`` of the adaptation.
        a: How the adaptation follows the membrane.
        b: What a spike adds to the adaptation.
        dt: Length of a step: stable below ``2τ``, 19 ms by default; spike times need less than 0.5
            ms.
        learn_tau: Make ``tau`` a parameter.
        learn_delta_t: Make ``delta_t`` a parameter.
        learn_v_t: Make ``v_t`` a parameter.
        learn_u_reset: Make ``u_reset`` a parameter.
        learn_resistance: Make ``resistance`` a parameter.
        learn_tau_w: Make ``tau_w`` a parameter.
        learn_a: Make ``a`` a parameter.
        learn_b: Make ``b`` a parameter.
        options: See `SpikingNeuron`; ``threshold`` is -30 mV by default. There is no choice of
            reset.

    Shapes:
        As `Leaky`, with two states of one step's shape, ``w`` and ``mem``.

    Raises:
        ValueError: as `Leaky`, if a time constant, ``delta_t`` or ``dt`` is not positive, and for
            an unknown preset.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.AdEx.preset("adapting", multi_step=True)
        >>> spikes, w, mem = neuron(torch.full((5000, 1), 500.0))
        >>> times = spikes.dense().squeeze().nonzero().squeeze() * 0.1
        >>> times.diff()[0] < times.diff()[-1] / 2
        tensor(True)
    """

    NAME = "adex"
    STATES = ("w", "mem")
    PARAMETERS = (
        *("rate", "rate_w", "u_rest", "delta_t", "v_t"),
        *("u_reset", "resistance", "a", "b"),
    )
    THRESHOLD = -30.0
    PRESETS = {
        "tonic": _pattern(200, 10, e_l=-70, a=2, tau_w=30, b=0, u_reset=-58),
        "adapting": _pattern(200, 12, e_l=-70, a=2, tau_w=300, b=60, u_reset=-58),
        "initial_burst": _pattern(130, 18, e_l=-58, a=4, tau_w=150, b=120, u_reset=-50),
        "bursting": _pattern(200, 10, e_l=-58, a=2, tau_w=120, b=100, u_reset=-46),
        "delayed_accelerating": _pattern(200, 12, e_l=-70, a=-10, tau_w=300, b=0, u_reset=-58),
        "delayed_bursting": _pattern(100, 10, e_l=-65, a=-10, tau_w=90, b=30, u_reset=-47),
        "transient": _pattern(100, 10, e_l=-65, a=10, tau_w=90, b=100, u_reset=-47),
        "irregular": _pattern(100, 12, e_l=-60, a=-11, tau_w=130, b=30, u_reset=-48),
    }

    tau: Tensor
    u_rest: Tensor
    delta_t: Tensor
    v_t: Tensor
    u_reset: Tensor
    resistance: Tensor
    tau_w: Tensor
    a: Tensor
    b: Tensor
    w: Tensor
    mem: Tensor

    def __init__(
        self,
        tau: float | Tensor = 281 / 30,
        u_rest: float | Tensor = -70.6,
        delta_t: float | Tensor = 2.0,
        v_t: float | Tensor = -50.4,
        u_reset: float | Tensor = -70.6,
        resistance: float | Tensor = 1 / 30,
        tau_w: float | Tensor = 144.0,
        a: float | Tensor = 4.0,
        b: float | Tensor = 80.5,
        *,
        dt: float = 0.1,
        learn_tau: bool = False,
        learn_delta_t: bool = False,
        learn_v_t: bool = False,
        learn_u_reset: bool = False,
        learn_resistance: bool = False,
        learn_tau_w: bool = False,
        learn_a: bool = False,
        learn_b: bool = False,
        **options: Unpack[Firing],
    ) -> None:
        super().__init__(dt, **options)
        self._positive("tau", tau, learn_tau)
        self._constant("u_rest", u_rest, False)
        self._positive("delta_t", delta_t, learn_delta_t)
        self._constant("v_t", v_t, learn_v_t)
        self._constant("u_reset", u_reset, learn_u_reset)
        self._constant("resistance", resistance, learn_resistance)
        self._positive("tau_w", tau_w, learn_tau_w)
        self._constant("a", a, learn_a)
        self._constant("b", b, learn_b)

    def coefficients(self) -> tuple[Tensor, ...]:
        """The numbers of the equation, of which the first are ``dt/τ`` and ``dt/τ_w``."""
        rates = (self.dt / self.tau, self.dt / self.tau_w)
        return *rates, *(getattr(self, name) for name in self.PARAMETERS[2:])

    def rest(self) -> tuple[float | Tensor, ...]:
        """No adaptation, and ``u_rest``."""
        return 0.0, self.u_rest

    def forward(self, input_: Tensor, w: Tensor | None = None, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (w, mem))

    def step(self, current: Tensor, w: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        rate, rate_w, u_rest, delta_t, v_t, u_reset, resistance, a, b = self.coefficients()
        reset = self.mem_reset(mem)
        mem = self._set(mem, reset, u_reset)
        w = w + reset * b
        drift = (u_rest - mem) + upstroke(mem, v_t, delta_t)
        pull = a * (mem - u_rest) - w
        mem = mem + rate * (drift + resistance * (current - w))
        w = self._quantised(w + rate_w * pull)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (w, mem)
