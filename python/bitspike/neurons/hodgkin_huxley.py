"""Hodgkin and Huxley's model of the squid's giant axon."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.biophysical import Biophysical
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing

_REACH = 150.0
"""Rates are those at the nearest membrane within ± this, in mV."""


def _fraction(x: Tensor) -> Tensor:
    """``x/(1 - e^-x)``, by its series around 0, where both parts of the fraction vanish."""
    far = x.abs() > 0.5
    distant = torch.where(far, x, 1.0)
    near = torch.where(far, 0.0, x)
    square = near * near
    series = square * (1 / 30240 - square / 1209600)
    series = 1 + near / 2 + square * (1 / 12 + square * (-1 / 720 + series))
    return torch.where(far, distant / (1 - (-distant).exp()), series)


def rates(v: Tensor) -> tuple[tuple[Tensor, Tensor], ...]:
    """Opening and closing rate per ms of the gates ``m``, ``h`` and ``n`` at the membrane ``v``."""
    v = v.clamp(-_REACH, _REACH)
    return (
        (_fraction((v + 40) / 10), 4 * (-(v + 65) / 18).exp()),
        (0.07 * (-(v + 65) / 20).exp(), torch.sigmoid((v + 35) / 10)),
        (0.1 * _fraction((v + 55) / 10), 0.125 * (-(v + 65) / 80).exp()),
    )


class HodgkinHuxley(Biophysical):
    r"""Hodgkin and Huxley's neuron: the channels behind a spike (1952; in the modern convention).

    .. math::
        C V' &= I - g_\mathrm{Na}m^3h(V - E_\mathrm{Na}) - g_\mathrm{K}n^4(V - E_\mathrm{K})
        - g_\mathrm{L}(V - E_\mathrm{L}) \\
        x' &= α_x(V)(1 - x) - β_x(V)x, \qquad x ∈ \{m, h, n\}

    integrated by Euler's forward method for all four states. ``S[t] = 1`` where ``V`` rises through
    the threshold: a spike is a part of the trajectory, and nothing is reset. Units are mV, ms,
    µA/cm², mS/cm² and µF/cm².

    The rates at rest, -65 mV, and the constants are the paper's. ``α_m`` and ``α_n``, which the
    paper writes as fractions that are 0/0 at -40 and -55 mV, are summed as series near these, and
    rates beyond ±150 mV are those at ±150 mV, so that values and gradients are finite.

    Args:
        g_na: Conductance of the sodium channels, all open: a number, or a tensor that broadcasts
            against one step, like all that follow.
        g_k: Conductance of the potassium channels.
        g_l: Conductance of the leak.
        e_na: Potential to which sodium pulls.
        e_k: Potential to which potassium pulls.
        e_l: Potential to which the leak pulls.
        capacitance: ``C``.
        dt: Length of a step. With currents up to 100 µA/cm² it is stable up to 0.05 ms; at 0.01 ms
            the firing rate is exact to 1 %.
        learn_g_na: Make ``g_na`` a parameter.
        learn_g_k: Make ``g_k`` a parameter.
        learn_g_l: Make ``g_l`` a parameter.
        options: See `SpikingNeuron`; ``threshold`` is 0 mV by default. There is no reset.

    Shapes:
        As `Leaky`, with four states of one step's shape, ``m``, ``h``, ``n`` and ``v``.

    Raises:
        ValueError: as `Leaky`, and if ``capacitance`` or ``dt`` is not positive.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.HodgkinHuxley(dt=0.02, multi_step=True)
        >>> spikes, m, h, n, v = neuron(torch.full((5000, 1), 10.0))
        >>> spikes.sum()
        tensor(7.)
    """

    NAME = "hodgkin_huxley"
    STATES = ("m", "h", "n", "v")
    PARAMETERS = ("g_na", "g_k", "g_l", "e_na", "e_k", "e_l", "rate", "dt")
    RESETS = ("none",)
    THRESHOLD = 0.0
    REST = (0.052932, 0.596121, 0.317677, -65.0)
    """The states without input, of the default constants."""

    g_na: Tensor
    g_k: Tensor
    g_l: Tensor
    e_na: Tensor
    e_k: Tensor
    e_l: Tensor
    capacitance: Tensor
    m: Tensor
    h: Tensor
    n: Tensor
    v: Tensor

    def __init__(
        self,
        g_na: float | Tensor = 120.0,
        g_k: float | Tensor = 36.0,
        g_l: float | Tensor = 0.3,
        e_na: float | Tensor = 50.0,
        e_k: float | Tensor = -77.0,
        e_l: float | Tensor = -54.387,
        capacitance: float | Tensor = 1.0,
        *,
        dt: float = 0.01,
        learn_g_na: bool = False,
        learn_g_k: bool = False,
        learn_g_l: bool = False,
        **options: Unpack[Firing],
    ) -> None:
        super().__init__(dt, **options)
        self._constant("g_na", g_na, learn_g_na)
        self._constant("g_k", g_k, learn_g_k)
        self._constant("g_l", g_l, learn_g_l)
        self._constant("e_na", e_na, False)
        self._constant("e_k", e_k, False)
        self._constant("e_l", e_l, False)
        self._positive("capacitance", capacitance)

    def coefficients(self) -> tuple[Tensor, ...]:
        """The numbers of the equation, of which the last are ``dt/C`` and ``dt``."""
        channels = (getattr(self, name) for name in self.PARAMETERS[:6])
        return *channels, self.dt / self.capacitance, self.dt

    def rest(self) -> tuple[float | Tensor, ...]:
        """The states without input."""
        return self.REST

    def forward(
        self,
        input_: Tensor,
        m: Tensor | None = None,
        h: Tensor | None = None,
        n: Tensor | None = None,
        v: Tensor | None = None,
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (m, h, n, v))

    def step(
        self, current: Tensor, m: Tensor, h: Tensor, n: Tensor, v: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        g_na, g_k, g_l, e_na, e_k, e_l, rate, dt = self.coefficients()
        reset = self.mem_reset(v)
        net = current - g_na * (m * m * m * h) * (v - e_na)
        net = net - g_k * (n * n * (n * n)) * (v - e_k) - g_l * (v - e_l)
        gates = (
            self._quantised(x + dt * (opening * (1 - x) - closing * x))
            for x, (opening, closing) in zip((m, h, n), rates(v), strict=True)
        )
        m, h, n = gates
        spikes, v = self._fire_and_reset(v + rate * net, reset)
        # A membrane that was above the threshold before does not cross it in this step.
        return spikes * (1 - reset), (m, h, n, v)
