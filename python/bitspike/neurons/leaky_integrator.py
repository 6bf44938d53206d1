"""The leaky integrator: a readout that does not spike."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from bitspike.neurons.base.lif import LIF
from bitspike.neurons.base.neuron import Result


class LI(LIF):
    r"""Leaky integrator, which returns its membrane and never fires.

    .. math::
        U[t] = βU[t-1] + I[t]

    with ``β`` clamped to ``[0, 1]``. As the last layer of a network it sums spikes with fading
    memory, and its membrane is what a loss is computed of (Bellec et al., NeurIPS 2018). It runs in
    the kernel of `Leaky`, without reset.

    Args:
        beta: Decay ``β`` per step: a number, or a tensor that broadcasts against one step.
        learn_beta: Make ``beta`` a parameter.
        init_hidden: Keep the membrane in the module; calls take none.
        state_quant: A function applied to the membrane after each update, or False.
        multi_step: Take a whole sequence per call.

    Shapes:
        One step: input ``[B, *]`` (any shape), and the membrane the same. With ``multi_step=True``:
        input ``[T, B, *]``, initial membrane ``[B, *]``, membranes ``[T, B, *]``.

    Raises:
        ValueError: as `Leaky`.
        TypeError: as `Leaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> readout = snn.LI(beta=0.5, multi_step=True)
        >>> readout(torch.tensor([[1.0], [1.0], [0.0]]))[:, 0]
        tensor([1.0000, 1.5000, 0.7500])
    """

    NAME = "leaky"
    STATES = ("mem",)
    PARAMETERS = ("beta",)
    RESETS = ("none",)
    IMMEDIATE = False

    mem: Tensor

    def __init__(
        self,
        beta: float | Tensor,
        *,
        learn_beta: bool = False,
        init_hidden: bool = False,
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        multi_step: bool = False,
    ) -> None:
        super().__init__(
            beta=beta,
            # No membrane is above an infinite threshold, so the spikes of the kernel are all 0.
            threshold=float("inf"),
            surrogate_disable=True,
            init_hidden=init_hidden,
            learn_beta=learn_beta,
            reset_mechanism="none",
            state_quant=state_quant,
            output=True,
            multi_step=multi_step,
        )

    def forward(self, input_: Tensor, mem: Tensor | None = None) -> Result:
        """One step, or a sequence if ``multi_step``."""
        return self._call(input_, (mem,))

    def step(self, current: Tensor, mem: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        (beta,) = self.coefficients()
        mem = self._quantised(beta * mem + current)
        return torch.zeros_like(mem), (mem,)

    def _call(
        self, input_: Tensor, given: tuple[Tensor | None, ...], sequence: bool | None = None
    ) -> Result:
        _, mem = super()._call(input_, given, sequence)
        return mem
