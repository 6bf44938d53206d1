"""What spiking LSTM and GRU cells share: the reset of a gated membrane, and its firing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from warnings import warn

import torch
from torch import Tensor

from .inhibition import KWTA
from .packing import Packing


class GatedNeuron(Packing):
    """Base of the neurons whose membrane is the hidden state of a gated cell.

    They have no native kernel: their products are torch's, and run in every floating-point dtype
    on every device. Whole sequences are the same operations as single steps, so that their bits
    are equal too.

    Args:
        threshold, spike_grad, surrogate_disable, init_hidden: See `SpikingNeuron`.
        inhibition: A `KWTA`; ``True`` has no effect, as in snnTorch.
        learn_threshold: See `SpikingNeuron`.
        reset_mechanism: ``"subtract"``, ``"zero"`` or ``"none"``.
        state_quant, output, multi_step: See `SpikingNeuron`.
    """

    mem: Tensor

    def __init__(
        self,
        threshold: float | Tensor,
        spike_grad: Callable[[Tensor], Tensor] | None,
        surrogate_disable: bool,
        init_hidden: bool,
        inhibition: bool | KWTA,
        learn_threshold: bool,
        reset_mechanism: str,
        state_quant: Callable[[Tensor], Tensor] | bool,
        output: bool,
        multi_step: bool,
    ) -> None:
        if inhibition is True:
            warn(
                f"inhibition=True has no effect in {type(self).__name__}, as in snnTorch; "
                "inhibition=KWTA(k=1) has",
                UserWarning,
                stacklevel=3,
            )
            inhibition = False
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
            multi_step=multi_step,
        )

    @property
    def spk(self) -> Tensor:
        """The spikes of the last step, computed from the stored membrane; empty before it."""
        return self._fire_visible(self.mem) if self.mem.numel() else self.mem

    def _reset_and_fire(self, mem: Tensor, reset: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes of the membrane that the cell returns, and the membrane after the reset."""
        mem = self._quantised(
            self._reset_rule.subtract(
                self._reset_rule.erase(mem, reset), reset, self.firing_threshold(), self.threshold
            )
        )
        return self._fire_visible(mem), mem

    def _fire_visible(self, mem: Tensor) -> Tensor:
        """Spikes of the part of the membrane that the next layer sees."""
        return self.fire(mem)

    def _vector_shape(self, step: torch.Size, inputs: int, hidden: int) -> torch.Size:
        """``[B, hidden]`` for one step ``[B, inputs]``."""
        if len(step) != 2 or step[1] != inputs:
            raise ValueError(
                f"input_ must be [B, {inputs}] at each step, because input_size is {inputs}, not "
                f"{tuple(step)}"
            )
        return torch.Size((step[0], hidden))


def cast(parameters: list[Tensor | None], like: Tensor) -> list[Any]:
    """A cell's parameters in the dtype of the states, which stay float32 in half precision."""
    return [None if x is None else x.to(like.dtype) for x in parameters]
