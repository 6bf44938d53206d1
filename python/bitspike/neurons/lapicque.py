"""The neuron as a circuit of a resistor and a capacitor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bitspike.neurons.base.constants import may_be_read, number
from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Switches


class Lapicque(LIF):
    r"""The leaky membrane as an RC circuit (Lapicque 1907; Brunel & van Rossum 2007).

    .. math::
        P = \frac{Δt}{C} I[t] + \left(1 - \frac{Δt}{RC}\right) U[t-1], \qquad
        S[t] = (U[t] > θ), \qquad F[t] = (U[t-1] > θ)

    with ``U[t] = P - Fθ``; ``reset_mechanism="zero"`` takes ``P - FP``, which erases the present
    input too, ``"none"`` just ``P``. The reset comes one step after the spike.

    Two of ``β``, ``R`` and ``C`` give the third by ``β = exp(-Δt/RC)``, and ``β`` alone goes with
    ``R = 1``. As in snnTorch the update is that of Euler, whose decay is ``1 - Δt/RC = 1 + ln β``
    and not ``β``: 0.895 for 0.9, and negative below ``1/e``. With ``exact_decay=True`` the decay is
    ``β = exp(-Δt/RC)`` and the input counts ``R(1 - β)``.

    Args:
        beta: Decay ``β`` per step.
        R: Resistance.
        C: Capacitance.
        time_step: ``Δt``.
        threshold: ``θ``. It, ``beta``, ``R`` and ``C`` are numbers, or tensors that broadcast
            against one step.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the state in the module; calls take and return no state.
        inhibition: Only the neuron furthest above threshold in each sample fires.
        learn_beta: Make ``beta`` a parameter; what it leaves open of ``R`` and ``C`` follows it.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"subtract"``, ``"zero"`` or ``"none"``.
        state_quant: A function applied to the membrane after each update, or False.
        output: Return ``(spikes, membrane)`` also with ``init_hidden``.
        exact_decay: The exact solution for an input that is constant during a step.
        switches: ``multi_step=True`` takes a whole sequence per call; the others are explained in
            `SpikingNeuron`.

    Shapes:
        As `Leaky`.

    Raises:
        ValueError: unless exactly ``beta``, or two of the three, are given, none of them 0; for
            ``learn_beta`` without ``beta``; and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.Lapicque(R=2, C=2)
        >>> spikes, membrane = neuron(torch.tensor([1.0, 3.0]))
        >>> spikes, membrane
        (tensor([0., 1.]), tensor([0.5000, 1.5000]))
        >>> neuron(torch.tensor([1.0, 3.0]), membrane)
        (tensor([0., 1.]), tensor([0.8750, 1.6250]))
    """

    NAME = "lapicque"
    STATES = ("mem",)
    PARAMETERS = ("R", "rate", "time_step", "decay")
    RESETS = ("subtract", "zero", "none")
    IMMEDIATE = False

    time_step: Tensor
    R: Tensor
    C: Tensor
    mem: Tensor

    def __init__(
        self,
        beta: float | Tensor = False,
        R: float | Tensor = False,
        C: float | Tensor = False,
        time_step: float | Tensor = 1,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        *,
        exact_decay: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
        has_beta, has_r, has_c = (
            _is_given(x, name) for name, x in (("beta", beta), ("R", R), ("C", C))
        )
        if not has_beta and not (has_r and has_c):
            raise ValueError("beta, or both R and C, must be given, and none of them may be 0")
        if has_beta and has_r and has_c:
            raise ValueError("beta follows from R and C: give two of the three")
        if learn_beta and not has_beta:
            raise ValueError("learn_beta=True needs beta, which here follows from R and C")
        time_step = number(time_step, "time_step")
        if not has_beta:
            beta = torch.exp(torch.ones(1) * (-time_step / (R * C)))
        super().__init__(
            beta=beta,
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=output,
            **switches,
        )
        self.exact_decay = exact_decay
        self.register_buffer("time_step", time_step)
        self._follows_beta = ("R" if has_c else "C") if learn_beta else None
        if has_beta:
            known = number(C, "C") if has_c else number(R if has_r else 1, "R")
            other = self._other(known).detach()
            R, C = (other, known) if has_c else (known, other)
        self.register_buffer("R", number(R, "R"))
        self.register_buffer("C", number(C, "C"))

    def _other(self, known: Tensor) -> Tensor:
        """Of ``R`` and ``C`` the one that ``beta`` and the other imply."""
        return self.time_step / (known * torch.log(1 / self.beta))

    def circuit(self) -> tuple[Tensor, Tensor]:
        """``R`` and ``C``; with ``learn_beta`` one of them follows ``beta``."""
        if self._follows_beta is None:
            return self.R, self.C
        if self._follows_beta == "C":
            return self.R, self._other(self.R)
        return self._other(self.C), self.C

    def coefficients(self) -> tuple[Tensor, ...]:
        """What multiplies the input, in the order of multiplication, and the decay."""
        r, c = self.circuit()
        rc = r * c
        rate, time_step = 1 / rc, self.time_step
        decay = 1 - time_step / rc
        if self.exact_decay:
            decay = torch.exp(-time_step / rc)
            rate, time_step = 1 - decay, torch.ones_like(decay)
        dtype = self.beta.dtype
        return r.to(dtype), rate.to(dtype), time_step.to(dtype), decay.to(dtype)

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (mem,))

    def step(self, current: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        r, rate, time_step, decay = self.coefficients()
        reset = self.mem_reset(mem)
        mem = self._reset_rule.erase(current * r * rate * time_step + decay * mem, reset)
        mem = self._reset_rule.subtract(mem, reset, self.firing_threshold(), decay)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (mem,)

    def init_lapicque(self) -> Tensor:
        """Deprecated alias of :meth:`reset_mem`."""
        mem: Tensor = self.reset_mem()
        return mem

    def _save_to_state_dict(self, *args: Any, **kwargs: Any) -> None:
        if self._follows_beta is not None:
            value = self.circuit()["RC".index(self._follows_beta)]
            setattr(self, self._follows_beta, value.detach())
        super()._save_to_state_dict(*args, **kwargs)


def _is_given(x: float | Tensor, name: str) -> bool:
    if not isinstance(x, Tensor):
        return bool((torch.as_tensor(x, device="cpu") != 0).all())
    x = number(x, name)
    return not may_be_read(x) or bool((x != 0).all())
