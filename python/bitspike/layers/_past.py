"""Inputs of earlier steps, which delays keep: packed where they came packed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.spikes.tensor import SpikeTensor
from bitspike.state import HiddenState, savable


class Past(HiddenState):
    """The last ``max_delay`` inputs as a hidden state, ``history``."""

    STATES = ("history",)

    history: Tensor
    max_delay: int

    def _after_past(self, x: Tensor, continues: bool) -> Tensor:
        """A sequence ``[T, B, *]`` behind what came before it, ``[max_delay + T, B, *]``.

        Args:
            x: The sequence.
            continues: Whether the history is what came before, and goes on; otherwise silence did.
        """
        known: Any = savable(*self._kept())
        silence = (self.max_delay, *x.shape[1:])
        starts = not continues or known.shape != silence
        if isinstance(x, SpikeTensor) and (x.is_transposed or not x.rows):
            x = x * 1
        if isinstance(x, SpikeTensor):
            if not isinstance(known, SpikeTensor):
                # After a reset the history is of zeros, which are bits.
                starts = starts or (not torch.compiler.is_compiling() and not known.any())
            if starts:
                words = x.words.new_zeros((self.max_delay, *x.words.shape[1:]))
                known = x.like(words)
        elif starts:
            known = torch.zeros(silence, dtype=x.dtype, device=x.device)
        if not isinstance(known, SpikeTensor):
            known = known.to(x.dtype)
        past = torch.cat([known, x])
        if continues:
            self._keep(self._before, (past[x.shape[0] :],), detached=False)
        return past

    def reset_delay(self) -> None:
        """Zeroes the history."""
        self.reset_mem()
