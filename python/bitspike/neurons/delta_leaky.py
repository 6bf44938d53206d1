"""The neuron that fires when its membrane moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bitspike.neurons.base.constants import number
from bitspike.neurons.base.inhibition import KWTA
from bitspike.neurons.base.neuron import Result

from .leaky import Leaky

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from bitspike.neurons.base.options import Switches

Pair = tuple[Tensor | None, Tensor | None]


class DeltaLeaky(Leaky):
    r"""Leaky membrane that fires when it changes by more than a threshold within one step.

    .. math::
        U[t] = βU[t-1] + I[t], \qquad S[t] = (|U[t] - U[t-1]| > θ_Δ)

    A change up and a change down give the same spike, and there is no reset. This is snnTorch's
    ``DeltaLeaky``; there, as here, ``beta`` is not clamped, the state is the pair
    ``(U[t], U[t-1])`` and is returned whatever ``output`` says, and most arguments of `Leaky` are
    taken without effect: ``threshold``, ``graded_spikes_factor``, ``reset_mechanism``,
    ``reset_delay``, ``state_quant``, ``inhibition`` and ``output``.

    Args:
        delta_threshold: ``θ_Δ``: a number, a tensor that broadcasts against one step, or an
            ``nn.Parameter`` to learn it. Like in snnTorch a number is not in the ``state_dict``.
        beta: ``β``: a number, or a tensor that broadcasts against one step.
        learn_beta: Make it a parameter.
        spike_grad, surrogate_disable, init_hidden, learn_threshold: See `SpikingNeuron`.
        learn_graded_spikes_factor, switches: See `SpikingNeuron`.
        threshold, inhibition, reset_mechanism, state_quant, output: Without effect.
        graded_spikes_factor, reset_delay: Without effect.

    Shapes:
        As `Leaky`, with two states of one step's shape, given and returned as one pair; None, for
        the pair or in it, is zero.

    Raises:
        ValueError: as `Leaky`.
        TypeError: for a state beside ``init_hidden=True``, and for complex input.

    Example:
        >>> import torch, bitspike as snn
        >>> neuron = snn.DeltaLeaky(0.75, beta=1.0)
        >>> spikes, state = neuron(torch.tensor([0.5, 1.0, -1.0]))
        >>> spikes, state
        (tensor([0., 1., 1.]), (tensor([ 0.5000,  1.0000, -1.0000]), tensor([0., 0., 0.])))
        >>> neuron(torch.tensor([0.0, 0.0, 1.0]), state)[0]
        tensor([0., 0., 1.])
    """

    NAME = "delta_leaky"
    STATES = ("mem", "mem_prev")
    RESETS = ("subtract", "zero", "none")
    IMMEDIATE = False

    mem_prev: Tensor

    def __init__(
        self,
        delta_threshold: float | Tensor = 1.0,
        beta: float | Tensor | None = None,
        threshold: float | Tensor = 1.0,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        surrogate_disable: bool = False,
        init_hidden: bool = False,
        inhibition: bool | KWTA = False,
        learn_beta: bool = False,
        learn_threshold: bool = False,
        reset_mechanism: str = "subtract",
        state_quant: Callable[[Tensor], Tensor] | bool = False,
        output: bool = False,
        graded_spikes_factor: float | Tensor = 1.0,
        learn_graded_spikes_factor: bool = False,
        reset_delay: bool = True,
        **switches: Unpack[Switches],
    ) -> None:
        if beta is None:
            raise TypeError("DeltaLeaky needs beta, the decay of its membrane")
        super().__init__(
            beta,
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_beta=learn_beta,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=True,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
            **switches,
        )
        if isinstance(delta_threshold, Tensor):
            delta_threshold = number(delta_threshold, "delta_threshold")
            if not delta_threshold.is_floating_point():
                delta_threshold = delta_threshold.to(torch.get_default_dtype())
        self.delta_threshold = delta_threshold

    def coefficients(self) -> tuple[Tensor, ...]:
        """``beta`` as it is."""
        return (self.beta,)

    def firing_threshold(self) -> Tensor:
        """``delta_threshold``."""
        if isinstance(self.delta_threshold, Tensor):
            return self.delta_threshold
        beta = self.beta
        return torch.tensor(self.delta_threshold, dtype=beta.dtype, device=beta.device)

    def level(self, *states: Tensor) -> Tensor:
        """How far the membrane has moved."""
        mem, mem_prev = states
        return (mem - mem_prev).abs()

    def fire(self, mem: Tensor) -> Tensor:
        """Spikes where the level is above ``delta_threshold``."""
        return self._spike(mem)

    def forward(self, input_: Tensor, mem: Pair | None = None) -> Result:  # type: ignore[override]
        """One step, or a sequence if ``multi_step``; ``mem`` is the pair that was returned."""
        if self.init_hidden and mem is None:
            return self._call(input_, (None, None))
        pair = (None, None) if mem is None else mem
        device = input_.device if isinstance(input_, Tensor) else self.beta.device
        nothing = torch.zeros(0, device=device)  # stands for a state at rest
        return self._call(input_, tuple(nothing if x is None else x for x in pair))

    def step(  # type: ignore[override]
        self, current: Tensor, mem: Tensor, mem_prev: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch: the specification of the native kernel."""
        (beta,) = self.coefficients()
        states = beta * mem + current, mem
        return self.fire(self.level(*states)), states

    def reset_mem(self) -> tuple[None, None]:
        """Zeroes the states; returns a pair that stands for zeros."""
        super().reset_mem()
        return None, None

    def _parts(self) -> list[Tensor]:
        return [*self.coefficients(), self.firing_threshold(), self.beta.new_ones(())]

    def _result(self, spikes: Tensor, states: tuple[Tensor, ...]) -> tuple[Any, ...]:
        return spikes, states
