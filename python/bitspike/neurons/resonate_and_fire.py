"""The resonate-and-fire neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.neuron import Result, SpikingNeuron

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Options


class ResonateAndFire(SpikingNeuron):
    r"""Resonate-and-fire neuron: its membrane oscillates (Izhikevich 2001).

    .. math::
        z[t] = e^{(b + iω)dt} z[t-1] + I[t] - iR[t]θ, \qquad
        S[t] = (\mathrm{Im} z[t] > θ), \qquad R[t] = (\mathrm{Im} z[t-1] > θ)

    An input kicks the real part of ``z``, the current; it turns into the imaginary part, the
    membrane, and back with the angular frequency ``ω``, and fades with ``b < 0``. Inputs that come
    with that frequency add up, others cancel. Resets act on the imaginary part alone:
    ``reset_mechanism="zero"`` erases all of it, ``"none"`` nothing. The step is exact for input
    that comes in pulses at the end of steps.

    Args:
        b: Damping ``b``, the negative of the rate of decay: a number, or a tensor that broadcasts
            against one step.
        omega: Angular frequency ``ω``, likewise.
        dt: Length of a step, in the unit of time of ``b`` and ``omega``.
        learn_b: Make ``b`` a parameter.
        learn_omega: Make ``omega`` a parameter.
        options: See `SpikingNeuron`.

    Shapes:
        As `Leaky`, with two states of one step's shape, ``re`` and ``im``.

    Raises:
        ValueError: as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import math, torch, bitspike as snn
        >>> neuron = snn.ResonateAndFire(b=0.0, omega=math.pi / 2)
        >>> spikes, re, im = neuron(torch.tensor([1.5]))
        >>> spikes, re, im = neuron(torch.tensor([0.0]), re, im)
        >>> spikes, im
        (tensor([1.]), tensor([1.5000]))
    """

    NAME = "resonate_and_fire"
    STATES = ("re", "im")
    PARAMETERS = ("factor_re", "factor_im")

    b: Tensor
    omega: Tensor
    dt: Tensor
    re: Tensor
    im: Tensor

    def __init__(
        self,
        b: float | Tensor,
        omega: float | Tensor,
        *,
        dt: float = 1.0,
        learn_b: bool = False,
        learn_omega: bool = False,
        **options: Unpack[Options],
    ) -> None:
        super().__init__(**options)
        self._constant("b", b, learn_b)
        self._constant("omega", omega, learn_omega)
        self._constant("dt", dt, False)

    def coefficients(self) -> tuple[Tensor, ...]:
        """Real and imaginary part of the factor ``exp((b + iω)dt)``."""
        size, angle = (self.b * self.dt).exp(), self.omega * self.dt
        return size * angle.cos(), size * angle.sin()

    def forward(self, input_: Tensor, re: Tensor | None = None, im: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (re, im))

    def step(self, current: Tensor, re: Tensor, im: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        factor_re, factor_im = self.coefficients()
        reset = self.mem_reset(im)
        turned = factor_im * re + factor_re * im
        re = (factor_re * re - factor_im * im) + current
        im = self._reset_rule.erase(turned, reset)
        im = self._reset_rule.subtract(im, reset, self.firing_threshold(), factor_re)
        re = self._quantised(re)
        spikes, im = self._fire_and_reset(im, reset)
        return spikes, (re, im)
