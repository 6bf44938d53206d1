"""What a spike does to the membrane that fired it."""

from __future__ import annotations

from typing import Any, NamedTuple
from warnings import warn

from torch import Tensor

from bitspike.arguments import expect_choice


class Reset(NamedTuple):
    """The reset of a neuron; its twin is ``rust/core/src/neuron/reset.rs``.

    A flag says where the neuron has fired: how many spikes, 0 or 1 for most.
    """

    mechanism: str
    """``"subtract"``, ``"zero"``, ``"none"`` or ``"subtract_beta"``."""
    delayed: bool = True
    """Whether it acts one step after the spike."""
    is_binary: bool = True
    """Whether a flag is 0 or 1."""

    def once(self, flag: Tensor) -> Tensor:
        """The flag as 0 or 1: several spikes in one step erase a membrane as one does."""
        return flag if self.is_binary else flag.abs().clamp(max=1)

    def erase(self, x: Tensor, flag: Tensor) -> Tensor:
        """The part of a delayed reset that erases what has been integrated."""
        return x - self.once(flag) * x if self.mechanism == "zero" else x

    def subtract(self, mem: Tensor, flag: Tensor, threshold: Tensor, decay: Tensor) -> Tensor:
        """The part of a delayed reset that follows integration."""
        if self.mechanism == "subtract":
            return mem - flag * threshold
        if self.mechanism == "subtract_beta":
            return mem - flag * (decay * threshold)
        return mem

    def at_once(self, mem: Tensor, fired: Tensor, flag: Tensor, threshold: Tensor) -> Tensor:
        """The membrane after an immediate reset: what the delayed rule has not taken already.

        Args:
            mem: The integrated membrane.
            fired: How many spikes it fires.
            flag: How many spikes the step before fired.
            threshold: What one of them takes.
        """
        if self.delayed:
            return mem
        if self.mechanism == "subtract":
            return mem - (fired - flag) * threshold
        if self.mechanism == "zero":
            # A silent neuron is left alone: snnTorch would double its membrane.
            once = self.once(fired)
            return mem - (once - self.once(flag) * once.detach()) * mem
        return mem


def expect_offered(neuron: Any, mechanism: str, delay: bool) -> None:
    """Refuses a reset that a neuron does not offer.

    Raises:
        ValueError: for such a mechanism or delay, or if one does not go with the other.
    """
    expect_choice("reset_mechanism", mechanism, neuron.RESETS)
    if not delay and not neuron.IMMEDIATE:
        raise ValueError(
            f"reset_delay=False is not offered by {type(neuron).__name__}, whose reset acts one "
            "step after the spike"
        )
    if mechanism == "subtract_beta" and not delay:
        raise ValueError(
            "reset_mechanism='subtract_beta' needs reset_delay=True: an immediate subtraction "
            "is scaled by beta at the next step anyway"
        )


def take_over_mechanism(neuron: Any) -> None:
    """Makes the reset that a state dict has brought the one in force, and warns if it is another.

    Raises:
        ValueError: if the number in the state dict stands for none.
    """
    if neuron.reset_mechanism_val.is_meta:
        return
    value = int(neuron.reset_mechanism_val)
    names = {number: name for name, number in neuron.reset_dict.items()}
    if value not in names:
        raise ValueError(f"reset_mechanism_val is {value} in the state dict; known: {names}")
    mechanism = names[value]
    if mechanism != neuron._reset_mechanism:
        warn(
            f"the state dict was saved with reset_mechanism={mechanism!r}, which replaces "
            f"{neuron._reset_mechanism!r}",
            UserWarning,
            stacklevel=3,
        )
        neuron._reset_mechanism = mechanism
