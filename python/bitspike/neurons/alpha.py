"""The neuron whose membrane follows an alpha function."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bitspike.neurons.base.constants import may_be_read, number
from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Switches


class Alpha(LIF):
    r"""Neuron with an excitatory and an inhibitory synapse (Eshraghian et al. 2023).

    .. math::
        I_e[t] = αI_e[t-1] + I[t], \qquad I_i[t] = βI_i[t-1] - I[t], \qquad
        U[t] = τ(I_e[t] + I_i[t]), \qquad τ = \frac{\ln α}{\ln β - \ln α} + 1

    ``S[t] = (U[t] > θ)``. A spike that arrives lifts the membrane step by step, then lets it fall;
    its first step does not move it at all. ``U`` is kept only for the reset, one step later, by
    ``R[t] = (U[t-1] > θ)``: ``"zero"`` erases all three states, the present input too. ``"none"``
    erases nothing. ``"subtract"`` is as odd as in snnTorch: it takes ``θ`` from ``I_e``, erases
    ``I_i``, and adds the former ``I_i`` to ``U``.

    Args:
        alpha: Decay ``α`` of the excitatory current per step, clamped to ``[0, 1]``: a number, or
            a tensor that broadcasts against one step.
        beta: Decay ``β`` of the inhibitory current, likewise, below ``alpha``.
        threshold: ``θ``, likewise.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the states in the module; calls take and return no states.
        inhibition: Only the neuron furthest above threshold in each sample fires.
        learn_alpha: Make ``alpha`` a parameter.
        learn_beta: Make ``beta`` a parameter.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"zero"``, ``"subtract"`` or ``"none"``.
        state_quant: A function applied to the states after each update, or False.
        output: Return ``(spikes, syn_exc, syn_inh, mem)`` also with ``init_hidden``.
        switches: ``multi_step=True`` takes a whole sequence per call; the others are explained in
            `SpikingNeuron`.

    Shapes:
        As `Leaky`, with three states of one step's shape.

    Raises:
        ValueError: unless ``alpha > beta`` and ``beta < 1`` everywhere, and as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.Alpha(alpha=0.5, beta=0.25, multi_step=True)
        >>> spikes, exc, inh, mem = neuron(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        >>> mem
        tensor([0.0000, 0.5000, 0.3750, 0.2188])
    """

    NAME = "alpha"
    STATES = ("syn_exc", "syn_inh", "mem")
    PARAMETERS = ("alpha", "beta", "tau")
    RESETS = ("subtract", "zero", "none")
    IMMEDIATE = False

    alpha: Tensor
    syn_exc: Tensor
    syn_inh: Tensor
    mem: Tensor

    def __init__(
        self,
        alpha: float | Tensor,
        beta: float | Tensor,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "zero",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        **switches: Unpack[Switches],
    ) -> None:
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
        self._constant("alpha", number(alpha, "alpha").detach().clamp(0.0, 1.0), learn_alpha)
        known = may_be_read(self.alpha) and may_be_read(self.beta)
        if known and bool((self.alpha <= self.beta).any()):
            raise ValueError(
                f"alpha must be above beta, and at most 1; they are {alpha} and {beta}"
            )

    def coefficients(self) -> tuple[Tensor, ...]:
        """Both decays, clamped to ``[0, 1]``, and the ``τ`` that follows from them."""
        alpha, beta = self.alpha.clamp(0.0, 1.0), self.beta.clamp(0.0, 1.0)
        log_alpha = torch.log(alpha)
        return alpha, beta, log_alpha / (torch.log(beta) - log_alpha) + 1

    def forward(
        self,
        input_: Tensor,
        syn_exc: Tensor | None = None,
        syn_inh: Tensor | None = None,
        mem: Tensor | None = None,
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (syn_exc, syn_inh, mem))

    def step(
        self, current: Tensor, syn_exc: Tensor, syn_inh: Tensor, mem: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        alpha, beta, tau = self.coefficients()
        reset = self.mem_reset(mem)
        exc = alpha * syn_exc + current
        inh = beta * syn_inh - current
        mem = tau * (exc + inh)
        if self._reset_mechanism == "subtract":
            once = self._reset_rule.once(reset)
            exc = exc - self.firing_threshold() * reset
            inh = inh - inh * once
            mem = mem - -syn_inh * once
        else:
            exc, inh, mem = (self._reset_rule.erase(x, reset) for x in (exc, inh, mem))
        exc, inh = self._quantised(exc), self._quantised(inh)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (exc, inh, mem)

    def init_alpha(self) -> tuple[Tensor, Tensor, Tensor]:
        """Deprecated alias of :meth:`reset_mem`."""
        states: tuple[Tensor, Tensor, Tensor] = self.reset_mem()
        return states
