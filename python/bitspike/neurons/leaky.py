"""The leaky integrate-and-fire neuron."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result


class Leaky(LIF):
    r"""Leaky integrate-and-fire neuron (Lapicque 1907; discretised as in Eshraghian et al. 2023).

    .. math::
        U[t] = βU[t-1] + I[t] - R[t]θ, \qquad S[t] = γ·(U[t] > θ), \qquad R[t] = (U[t-1] > θ)

    with ``β`` clamped to ``[0, 1]``. The spike comes at the step that crosses the threshold, the
    reset one step later. ``reset_mechanism="zero"`` takes ``β((1 - R)U) + I`` (the present input
    survives), ``"subtract_beta"`` subtracts ``Rβθ``, ``"none"`` nothing. With
    ``reset_delay=False`` the membrane is reset within the step that fires.

    Args:
        beta: Decay ``β`` per step: a number, or a tensor that broadcasts against one step.
        threshold: ``θ``, likewise.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        surrogate_disable: No gradient through spikes.
        init_hidden: Keep the state in the module; calls take and return no state.
        inhibition: Only the neuron furthest above threshold in each sample fires; or a `KWTA`.
        learn_beta: Make ``beta`` a parameter.
        learn_threshold: Make ``threshold`` a parameter.
        reset_mechanism: ``"subtract"``, ``"zero"``, ``"none"`` or ``"subtract_beta"``.
        state_quant: A function applied to the membrane after each update, or False.
        output: Return ``(spikes, membrane)`` also with ``init_hidden``.
        graded_spikes_factor: ``γ``, what a spike counts.
        learn_graded_spikes_factor: Make it a parameter.
        reset_delay: Reset one step after the spike.
        switches: ``multi_step=True`` takes a whole sequence per call; ``detach_reset``, ``order``,
            ``fire_at`` and ``spike_range`` are explained in `SpikingNeuron`.

    Shapes:
        One step: input ``[B, *]`` (any shape), spikes and membrane the same. With
        ``multi_step=True``: input ``[T, B, *]``, initial membrane ``[B, *]``, spikes (a
        `SpikeTensor` on the CPU) and membranes ``[T, B, *]``: what ``T`` single steps return.

    Raises:
        ValueError: for an unknown reset mechanism, parameters that do not broadcast, a sequence
            without a time axis.
        TypeError: for a state beside ``init_hidden=True``, and for complex input.

    Example:
        >>> import torch, bitspike as snn
        >>> lif = snn.Leaky(beta=0.5)
        >>> spikes, membrane = lif(torch.tensor([0.75, 1.5]))
        >>> spikes, membrane
        (tensor([0., 1.]), tensor([0.7500, 1.5000]))
        >>> spikes, membrane = lif(torch.tensor([0.75, 1.5]), membrane)
        >>> spikes, membrane
        (tensor([1., 1.]), tensor([1.1250, 1.2500]))
        >>> snn.Leaky(beta=0.5, multi_step=True)(torch.full((4, 1, 1), 0.75))[0]
        SpikeTensor(shape=(4, 1, 1), density=0.25, 32 bytes)
    """

    NAME = "leaky"
    PARAMETERS = ("beta",)
    STATES: ClassVar[tuple[str, ...]] = ("mem",)

    mem: Tensor

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (mem,))

    def step(
        self, current: Tensor, mem: Tensor, recurrent: Tensor | None = None
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel.

        With a current from the layer itself, "zero" erases the present input too, as in snnTorch.
        """
        (beta,) = self.coefficients()
        reset = self.mem_reset(mem)
        if self.reset_mechanism == "zero" and recurrent is None:
            mem = (1 - self._reset_rule.once(reset)) * mem
        mem = beta * mem + current
        if recurrent is not None:
            mem = self._reset_rule.erase(mem + recurrent, reset)
        mem = self._reset_rule.subtract(mem, reset, self.firing_threshold(), beta)
        spikes, mem = self._fire_and_reset(mem, reset)
        return spikes, (mem,)

    def init_leaky(self) -> Tensor:
        """Deprecated alias of :meth:`reset_mem`."""
        mem: Tensor = self.reset_mem()
        return mem
