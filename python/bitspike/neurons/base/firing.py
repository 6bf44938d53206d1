"""Firing and reset: what every neuron does once its membrane is integrated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from warnings import warn

import torch
from torch import Tensor

from bitspike import surrogate
from bitspike.state import HiddenState

from .constants import Constants
from .inhibition import KWTA


class Firing(Constants, HiddenState):
    """Threshold, surrogate and reset, with snnTorch's members."""

    reset_dict: ClassVar[dict[str, int]] = {"subtract": 0, "zero": 1, "none": 2, "subtract_beta": 3}
    RESETS: ClassVar[tuple[str, ...]] = ("subtract", "zero", "none")
    """The resets that the neuron offers."""
    IMMEDIATE: ClassVar[bool] = False
    """Whether a reset may also act within the step that fires, ``reset_delay=False``."""

    reset_mechanism_val: Tensor

    def __init__(
        self,
        threshold: float | Tensor,
        spike_grad: Callable[[Tensor], Tensor] | None,
        surrogate_disable: bool,
        inhibition: bool | KWTA,
        learn_threshold: bool,
        reset_mechanism: str,
        state_quant: Callable[[Tensor], Tensor] | bool,
        graded_spikes_factor: float | Tensor,
        learn_graded_spikes_factor: bool,
        reset_delay: bool,
        detach_reset: bool,
        order: str,
        fire_at: str,
        spike_range: tuple[int, int],
    ) -> None:
        super().__init__()
        self._check_reset(reset_mechanism, reset_delay)
        _check_choice("order", order, ("integrate_first", "fire_first"))
        _check_choice("fire_at", fire_at, ("gt", "ge"))
        low, high = spike_range
        if not low <= 0 < high:
            raise ValueError(f"spike_range must be (low <= 0, high >= 1), not {spike_range}")
        if not isinstance(inhibition, bool | KWTA):
            raise TypeError(f"inhibition must be True, False or a KWTA, not {inhibition!r}")
        if surrogate_disable:
            self.spike_grad = surrogate.Disabled()
        else:
            self.spike_grad = surrogate.atan() if spike_grad is None else spike_grad
        self.surrogate_disable = surrogate_disable
        self.inhibition = inhibition
        self.state_quant = state_quant
        self.reset_delay = reset_delay
        self.detach_reset = detach_reset
        self.order = order
        self.fire_at = fire_at
        self.spike_range = (int(low), int(high))
        self._reset_mechanism = reset_mechanism
        self._constant("threshold", threshold, learn_threshold)
        self._constant("graded_spikes_factor", graded_spikes_factor, learn_graded_spikes_factor)
        self.register_buffer("reset_mechanism_val", torch.tensor(self.reset_dict[reset_mechanism]))
        self._note_unit_spikes()
        if inhibition is True:
            warn(
                "inhibition works on dense layers [B, N]; suppressed neurons are reset as in "
                "snnTorch although they did not fire",
                UserWarning,
                stacklevel=5,
            )

    def _check_reset(self, mechanism: str, delay: bool) -> None:
        _check_choice("reset_mechanism", mechanism, self.RESETS)
        if not delay and not self.IMMEDIATE:
            raise ValueError(
                f"reset_delay=False is not offered by {type(self).__name__}, whose reset acts one "
                "step after the spike"
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

    def level(self, *states: Tensor) -> Tensor:
        """What is compared with the threshold: the membrane, which is the last of the states."""
        return states[-1]

    def firing_threshold(self) -> Tensor:
        """What the level is compared with, and what ``"subtract"`` subtracts."""
        return self.threshold

    def _spike(self, mem: Tensor) -> Tensor:
        """How many spikes this membrane fires, with the surrogate's gradient.

        One if it is above threshold; with another ``spike_range`` one for each multiple of the
        threshold that it is above, and minus one for each that it is below on the negative side.
        None where a `KWTA` lets other neurons win.
        """
        (low, high), threshold = self.spike_range, self.firing_threshold()
        spikes = self._above(mem - threshold)
        for multiple in range(2, high + 1):
            spikes = spikes + self._above(mem - multiple * threshold)
        for multiple in range(1, 1 - low):
            spikes = spikes - self._above(-mem - multiple * threshold)
        if isinstance(self.inhibition, KWTA):
            spikes = spikes * self.inhibition.winners(mem - threshold)
        return spikes

    def _above(self, x: Tensor) -> Tensor:
        spikes = self.spike_grad(x)
        return spikes if self.fire_at == "gt" else spikes + (x == 0)

    def fire(self, mem: Tensor) -> Tensor:
        """Spikes where the membrane is above threshold, times the graded factor."""
        return self._spike(self._quantised(mem)) * self.graded_spikes_factor

    def _fires_its_own_way(self) -> bool:
        """Whether a subclass or its user has overridden `fire`."""
        return getattr(self.fire, "__func__", None) is not Firing.fire

    def _quantised(self, state: Tensor) -> Tensor:
        """A state as ``state_quant`` rounds it, if there is one."""
        return self.state_quant(state) if self.state_quant else state  # type: ignore[operator]

    def fire_inhibition(self, batch_size: int, mem: Tensor) -> Tensor:
        """A spike of the neuron furthest above threshold in each sample of ``[B, N]``.

        Raises:
            ValueError: for a membrane of another number of axes.
        """
        if mem.dim() != 2:
            raise ValueError(f"inhibition needs a membrane [B, N], not {tuple(mem.shape)}")
        above = mem - self.firing_threshold()
        winner = torch.zeros_like(above).scatter_(1, above.argmax(1, keepdim=True), 1)
        return self._spike(mem) * winner

    def mem_reset(self, mem: Tensor) -> Tensor:
        """The reset flag: how many spikes the membrane has fired.

        It carries no gradient unless ``detach_reset=False``. Of neurons that compete by `KWTA`
        only winners are reset: they are those that fired. If they were reset at once, nothing is
        left to do, and who waits above threshold is no winner.
        """
        if isinstance(self.inhibition, KWTA) and not self.reset_delay:
            return torch.zeros_like(mem)
        flag = self._spike(mem)
        return flag.detach() if self.detach_reset else flag

    def _erase(self, x: Tensor, reset: Tensor) -> Tensor:
        """The part of a delayed reset that erases what has been integrated."""
        return x - self._once(reset) * x if self._reset_mechanism == "zero" else x

    def _once(self, reset: Tensor) -> Tensor:
        """Whether there was a spike, however many: a membrane can be erased but once."""
        return reset if self.spike_range == (0, 1) else reset.abs().clamp(max=1)

    def _subtract(self, mem: Tensor, reset: Tensor, decay: Tensor) -> Tensor:
        """The part of a delayed reset that follows integration."""
        if self._reset_mechanism == "subtract":
            return mem - reset * self.firing_threshold()
        if self._reset_mechanism == "subtract_beta":
            return mem - reset * (decay * self.firing_threshold())
        return mem

    def _fired(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Where a level is above threshold, or only its winner, and the spikes that it counts."""
        if self.inhibition is True:
            winner = self.fire_inhibition(level.size(0), level)
            return winner, winner
        if self._fires_its_own_way():
            spikes = self.fire(level)
            return spikes / self.graded_spikes_factor, spikes
        fired = self._spike(level)
        return fired, fired * self.graded_spikes_factor

    def _fire_and_reset(self, mem: Tensor, reset: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes of an integrated membrane, and the membrane after an immediate reset."""
        mem = self._quantised(mem)
        fired, spikes = self._fired(mem)
        if not self.reset_delay:
            # What the delayed rule has subtracted already is not subtracted again.
            if self._reset_mechanism == "subtract":
                mem = mem - (fired - reset) * self.firing_threshold()
            elif self._reset_mechanism == "zero":
                # A silent neuron is left alone: snnTorch would double its membrane.
                once = self._once(fired)
                mem = mem - (once - self._once(reset) * once.detach()) * mem
        return spikes, mem


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
