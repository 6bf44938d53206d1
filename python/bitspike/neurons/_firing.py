"""Firing and reset: what every neuron does once its membrane is integrated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from warnings import warn

import torch
from torch import Tensor

from bitspike import surrogate

from ._constants import Constants
from ._hidden import HiddenState


class Firing(Constants, HiddenState):
    """Threshold, surrogate and reset, with snnTorch's members."""

    reset_dict: ClassVar[dict[str, int]] = {"subtract": 0, "zero": 1, "none": 2, "subtract_beta": 3}

    reset_mechanism_val: Tensor

    def __init__(
        self,
        threshold: float | Tensor,
        spike_grad: Callable[[Tensor], Tensor] | None,
        surrogate_disable: bool,
        inhibition: bool,
        learn_threshold: bool,
        reset_mechanism: str,
        state_quant: Callable[[Tensor], Tensor] | bool,
        graded_spikes_factor: float | Tensor,
        learn_graded_spikes_factor: bool,
        reset_delay: bool,
    ) -> None:
        super().__init__()
        self._check_reset(reset_mechanism, reset_delay)
        if surrogate_disable:
            self.spike_grad = surrogate.Disabled()
        else:
            self.spike_grad = surrogate.atan() if spike_grad is None else spike_grad
        self.surrogate_disable = surrogate_disable
        self.inhibition = inhibition
        self.state_quant = state_quant
        self.reset_delay = reset_delay
        self._reset_mechanism = reset_mechanism
        self._constant("threshold", threshold, learn_threshold)
        self._constant("graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor)
        self.register_buffer("reset_mechanism_val", torch.tensor(self.reset_dict[reset_mechanism]))
        self._note_unit_spikes()
        if inhibition:
            warn(
                "inhibition works on dense layers [B, N]; suppressed neurons are reset as in "
                "snnTorch although they did not fire",
                UserWarning,
                stacklevel=5,
            )

    def _check_reset(self, mechanism: str, delay: bool) -> None:
        if mechanism not in self.reset_dict:
            raise ValueError(
                f"reset_mechanism must be one of {', '.join(self.reset_dict)}, not {mechanism!r}"
            )
        if mechanism == "subtract_beta" and not delay:
            raise ValueError(
                "reset_mechanism='subtract_beta' needs reset_delay=True: an immediate subtraction "
                "is scaled by beta at the next step anyway"
            )

    @property
    def reset_mechanism(self) -> str:
        """The reset in force; setting it changes the update and ``reset_mechanism_val``."""
        return self._reset_mechanism

    @reset_mechanism.setter
    def reset_mechanism(self, mechanism: str) -> None:
        self._check_reset(mechanism, self.reset_delay)
        self._reset_mechanism = mechanism
        self.reset_mechanism_val.fill_(self.reset_dict[mechanism])

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        super()._load_from_state_dict(state_dict, prefix, *args)
        if self.reset_mechanism_val.is_meta:
            return
        value = int(self.reset_mechanism_val)
        names = {number: name for name, number in self.reset_dict.items()}
        if value not in names:
            raise ValueError(f"reset_mechanism_val is {value} in the state dict; known: {names}")
        mechanism = names[value]
        if mechanism != self._reset_mechanism:
            warn(
                f"the state dict was saved with reset_mechanism={mechanism!r}, which replaces "
                f"{self._reset_mechanism!r}",
                UserWarning,
                stacklevel=2,
            )
            self._reset_mechanism = mechanism

    def fire(self, mem: Tensor) -> Tensor:
        """Spikes where the membrane is above threshold, times the graded factor."""
        if self.state_quant:
            mem = self.state_quant(mem)  # type: ignore[operator]
        return self.spike_grad(mem - self.threshold) * self.graded_spikes_factor

    def fire_inhibition(self, batch_size: int, mem: Tensor) -> Tensor:
        """A spike of the neuron furthest above threshold in each sample of ``[B, N]``.

        Raises:
            ValueError: for a membrane of another number of axes.
        """
        if mem.dim() != 2:
            raise ValueError(f"inhibition needs a membrane [B, N], not {tuple(mem.shape)}")
        above = mem - self.threshold
        winner = torch.zeros_like(above).scatter_(1, above.argmax(1, keepdim=True), 1)
        return self.spike_grad(above) * winner

    def mem_reset(self, mem: Tensor) -> Tensor:
        """The reset flag: 1 where the membrane is above threshold, without gradient."""
        return self.spike_grad(mem - self.threshold).detach()

    def _subtract(self, mem: Tensor, reset: Tensor, decay: Tensor) -> Tensor:
        """The part of a delayed reset that follows integration."""
        if self._reset_mechanism == "subtract":
            return mem - reset * self.threshold
        if self._reset_mechanism == "subtract_beta":
            return mem - reset * (decay * self.threshold)
        return mem

    def _fire_and_reset(self, mem: Tensor, reset: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes of an integrated membrane, and the membrane after an immediate reset."""
        if self.state_quant:
            mem = self.state_quant(mem)  # type: ignore[operator]
        if self.inhibition:
            fired = spikes = self.fire_inhibition(mem.size(0), mem)
        else:
            fired = self.spike_grad(mem - self.threshold)
            spikes = fired * self.graded_spikes_factor
        if not self.reset_delay:
            # What the delayed rule has subtracted already is not subtracted again.
            if self._reset_mechanism == "subtract":
                mem = mem - (fired - reset) * self.threshold
            elif self._reset_mechanism == "zero":
                # A silent neuron is left alone: snnTorch would double its membrane.
                mem = mem - (fired - reset * fired.detach()) * mem
        return spikes, mem
