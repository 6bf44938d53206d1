"""Izhikevich's neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.biophysical import Biophysical
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Firing


def _kind(a: float, b: float, c: float, d: float) -> dict[str, float]:
    return dict(a=a, b=b, c=c, d=d)


class Izhikevich(Biophysical):
    r"""Izhikevich's neuron: two equations for the firing of most cortical neurons (2003).

    .. math::
        v[t] &= v' + dt(0.04v'^2 + 5v' + 140 - u' + I[t]) \\
        u[t] &= u' + dt·a(bv' - u') \\
        (v', u') &= \begin{cases} (c, u[t-1] + d) & v[t-1] > θ \\
        (v[t-1], u[t-1]) & \text{else} \end{cases}

    and ``S[t] = (v[t] > θ)``. The recovery ``u`` pulls the membrane ``v`` back. The reset is the
    model's own and begins a step, so that the membrane is seen above threshold for the one step
    that fires. Units are mV and ms. Both states start where they rest without input, or, where
    ``b`` is so large that they do not rest, where the membrane is slowest.

    ``Izhikevich.preset(name)`` has the parameters of the paper for regular spiking (``RS``),
    intrinsically bursting (``IB``) and chattering (``CH``) excitatory neurons, fast spiking
    (``FS``) and low-threshold spiking (``LTS``) inhibitory ones, thalamo-cortical neurons (``TC``)
    and resonators (``RZ``).

    Args:
        a: Rate of the recovery, per ms: a number, or a tensor that broadcasts against one step,
            like all that follow. The defaults are regular spiking.
        b: How much the recovery follows the membrane.
        c: Membrane after a spike.
        d: What a spike adds to the recovery.
        dt: Length of a step: stable around rest below about 1 ms. The paper's figures have 0.2 to
            0.25 ms.
        learn_a: Make ``a`` a parameter.
        learn_b: Make ``b`` a parameter.
        learn_c: Make ``c`` a parameter.
        learn_d: Make ``d`` a parameter.
        options: See `SpikingNeuron`; ``threshold`` is 30 mV by default. There is no choice of
            reset.

    Shapes:
        As `Leaky`, with two states of one step's shape, ``u`` and ``v``.

    Raises:
        ValueError: as `Leaky`, if ``dt`` is not positive, and for an unknown preset.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.Izhikevich.preset("FS", multi_step=True)
        >>> spikes, u, v = neuron(torch.full((1000, 1), 10.0))
        >>> spikes.sum()
        tensor(31.)
    """

    NAME = "izhikevich"
    STATES = ("u", "v")
    PARAMETERS = ("a", "b", "c", "d", "dt")
    THRESHOLD = 30.0
    PRESETS = {
        "RS": _kind(0.02, 0.2, -65, 8),
        "IB": _kind(0.02, 0.2, -55, 4),
        "CH": _kind(0.02, 0.2, -50, 2),
        "FS": _kind(0.1, 0.2, -65, 2),
        "LTS": _kind(0.02, 0.25, -65, 2),
        "TC": _kind(0.02, 0.25, -65, 0.05),
        "RZ": _kind(0.1, 0.26, -65, 2),
    }

    a: Tensor
    b: Tensor
    c: Tensor
    d: Tensor
    u: Tensor
    v: Tensor

    def __init__(
        self,
        a: float | Tensor = 0.02,
        b: float | Tensor = 0.2,
        c: float | Tensor = -65.0,
        d: float | Tensor = 8.0,
        *,
        dt: float = 0.25,
        learn_a: bool = False,
        learn_b: bool = False,
        learn_c: bool = False,
        learn_d: bool = False,
        **options: Unpack[Firing],
    ) -> None:
        super().__init__(dt, **options)
        self._constant("a", a, learn_a)
        self._constant("b", b, learn_b)
        self._constant("c", c, learn_c)
        self._constant("d", d, learn_d)

    def rest(self) -> tuple[float | Tensor, ...]:
        """The lower root of ``0.04v² + (5 - b)v + 140``, and ``u = bv`` there."""
        slope = 5 - self.b
        v = (-slope - (slope**2 - 4 * 0.04 * 140).clamp(min=0).sqrt()) / (2 * 0.04)
        return self.b * v, v

    def forward(self, input_: Tensor, u: Tensor | None = None, v: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (u, v))

    def step(self, current: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        a, b, c, d, dt = self.coefficients()
        reset = self.mem_reset(v)
        v = self._set(v, reset, c)
        u = u + reset * d
        rise = (0.04 * v * v + 5 * v + 140 - u) + current
        pull = a * (b * v - u)
        v = v + dt * rise
        u = self._quantised(u + dt * pull)
        spikes, v = self._fire_and_reset(v, reset)
        return spikes, (u, v)
