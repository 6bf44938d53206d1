"""The base of the leaky neurons."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from .constants import held
from .inhibition import KWTA
from .neuron import SpikingNeuron

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import Switches


class LIF(SpikingNeuron):
    """Base of the leaky neurons: adds the decay ``beta``.

    Args:
        beta: Decay per step, clamped to ``[0, 1]`` in use.
        threshold, spike_grad, surrogate_disable, init_hidden, inhibition: See `SpikingNeuron`.
        learn_beta: Make ``beta`` a parameter.
        learn_threshold, reset_mechanism, state_quant, output: See `SpikingNeuron`.
        graded_spikes_factor, learn_graded_spikes_factor: See `SpikingNeuron`.
        reset_delay, switches: See `SpikingNeuron`.
    """

    RESETS: ClassVar[tuple[str, ...]] = ("subtract", "zero", "none", "subtract_beta")
    IMMEDIATE = True

    beta: Tensor

    def __init__(
        self,
        beta: float | Tensor,
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
        super().__init__(
            threshold=threshold,
            spike_grad=spike_grad,
            surrogate_disable=surrogate_disable,
            init_hidden=init_hidden,
            inhibition=inhibition,
            learn_threshold=learn_threshold,
            reset_mechanism=reset_mechanism,
            state_quant=state_quant,
            output=output,
            graded_spikes_factor=graded_spikes_factor,
            learn_graded_spikes_factor=learn_graded_spikes_factor,
            reset_delay=reset_delay,
            **switches,
        )
        self._constant("beta", beta, learn_beta)

    def coefficients(self) -> tuple[Tensor, ...]:
        """The parameters of the equation, of which decays are clamped to ``[0, 1]``."""
        return tuple([held(self, name).clamp(0.0, 1.0) for name in self.PARAMETERS])
