"""The neuron with a synaptic current of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor

from bitspike.neurons.base.inhibition import KWTA
from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Switches


class Synaptic(LIF):
    r"""Leaky integrate-and-fire neuron behind a synapse (second order; Eshraghian et al. 2023).

    .. math::
        I_s[t] = αI_s[t-1] + I[t], \qquad U[t] = βU[t-1] + I_s[t] - R[t]θ,
        \qquad S[t] = (U[t] > θ), \qquad R[t] = (U[t-1] > θ)

    with ``α`` and ``β`` clamped to ``[0, 1]``. Resets act on the membrane ``U`` alone:
    ``reset_mechanism="zero"`` erases all of it, the present input too, ``"subtract_beta"``
    subtracts ``Rβθ``, ``"none"`` nothing. With ``reset_delay=False`` the membrane is reset within
    the step that fires.

    Args:
        alpha: Decay ``α`` of the synaptic current per step: a number, or a tensor that broadcasts
            against one step.
        beta: Decay ``β`` of the membrane, likewise.
        threshold: ``θ``, likewise.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the states in the module; calls take and return no states.
        inhibition: Only the neuron furthest above threshold in each sample fires.
        learn_alpha: Make ``alpha`` a parameter.
        learn_beta: Make ``beta`` a parameter.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"subtract"``, ``"zero"``, ``"none"`` or ``"subtract_beta"``.
        state_quant: A function applied to the states after each update, or False.
        output: Return ``(spikes, syn, mem)`` also with ``init_hidden``.
        reset_delay: Reset one step after the spike.
        switches: ``multi_step=True`` takes a whole sequence per call; ``detach_reset``, ``order``,
            ``fire_at`` and ``spike_range`` are explained in `SpikingNeuron`.

    Shapes:
        As `Leaky`, with two states of one step's shape.

    Raises:
        ValueError: as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.Synaptic(alpha=0.5, beta=0.5)
        >>> spikes, syn, mem = neuron(torch.tensor([1.0]))
        >>> spikes, syn, mem = neuron(torch.tensor([0.0]), syn, mem)
        >>> spikes, syn, mem
        (tensor([0.]), tensor([0.5000]), tensor([1.]))
    """

    NAME = "synaptic"
    PARAMETERS = ("alpha", "beta")
    STATES = ("syn", "mem")

    alpha: Tensor
    syn: Tensor
    mem: Tensor

    def __init__(
        self,
        alpha: float | Tensor,
        beta: float | Tensor,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool | KWTA = False,
        learn_alpha: bool = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        reset_delay: bool = True,
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
            reset_delay=reset_delay,
            **switches,
        )
        self._constant("alpha", alpha, learn_alpha)

    def forward(
        self, input_: Tensor, syn: Tensor | None = None, mem: Tensor | None = None
    ) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (syn, mem))

    def step(
        self, current: Tensor, syn: Tensor, mem: Tensor, recurrent: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        alpha, beta = self.coefficients()
        reset = self.mem_reset(mem)
        syn = alpha * syn + current
        if recurrent is not None:
            syn = syn + recurrent
        mem = self._reset_rule.erase(beta * mem + syn, reset)
        mem = self._reset_rule.subtract(mem, reset, self.firing_threshold(), beta)
        syn = self._quantised(syn)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (syn, mem)

    def init_synaptic(self) -> tuple[Tensor, Tensor]:
        """Deprecated alias of :meth:`reset_mem`."""
        states: tuple[Tensor, Tensor] = self.reset_mem()
        return states
