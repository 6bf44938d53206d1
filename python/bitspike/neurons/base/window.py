"""Neurons whose membrane is a weighted sum of their last currents: they are never reset."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from .overridden import overridden_by
from .packing import Packing
from .run import Run, run_reference


class Window(Packing):
    """Base of the neurons that look back over ``k`` currents, of which they keep ``k - 1``.

    Since nothing is reset, all steps of a sequence are computed at once. They are the sums of
    single steps, in the same order, and so are their bits.
    """

    RESETS = ("none",)

    k: int

    @abstractmethod
    def taps(self, steps: int, *others: Tensor) -> tuple[Tensor, Tensor]:
        """The weights of the last ``k`` currents, newest first, and what is added to their sum.

        Args:
            steps: How many steps are computed.
            others: The states before the first of them, without currents and membrane.

        Returns:
            ``[k]`` and ``[]``, or ``[steps, k]`` and ``[steps]`` if they differ between steps.
        """

    def others_after(self, steps: int, *others: Tensor) -> tuple[Tensor, ...]:
        """The states after each step, ``[steps, *]``, without currents and membrane."""
        return ()

    def state_shapes(self, step: torch.Size) -> tuple[torch.Size, ...]:
        """Of the past currents, other states, which have no axes, and the membrane."""
        others = (torch.Size(()),) * (len(self.STATES) - 2)
        return torch.Size((self.k - 1, *step)), *others, step

    def membrane(self, currents: Tensor, *others: Tensor) -> Tensor:
        """The membranes ``[steps, B, *]`` of currents ``[k - 1 + steps, B, *]``."""
        steps = len(currents) - self.k + 1
        taps, bias = self.taps(steps, *others)
        axes = (-1, *(1,) * (currents.dim() - 1))
        total = bias.reshape(axes)
        for age, weight in enumerate(taps.unbind(-1)):
            start = self.k - 1 - age
            total = total + weight.reshape(axes) * currents[start : start + steps]
        return total

    def step(self, current: Tensor, *states: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One step in torch."""
        inputs, *others, _ = states
        currents = torch.cat([inputs, current.unsqueeze(0)])
        mem = self._quantised(self.membrane(currents, *others).squeeze(0))
        after = [x.squeeze(0) for x in self.others_after(1, *others)]
        _, spikes = self._fired(mem)
        return spikes, (currents[1:], *after, mem)

    def _run_reference(
        self, current: Tensor, initial: list[Tensor], sequence: bool, states: bool
    ) -> Run:
        if not sequence or not len(current) or self._overridden or overridden_by(self):
            return run_reference(self, current, initial, sequence, states)
        dtype, steps = current.dtype, len(current)
        if dtype in (torch.bfloat16, torch.float16):
            current = current.float()
        inputs, *others, _ = initial
        currents = torch.cat([inputs, current])
        mem = self._quantised(self.membrane(currents, *others))
        if self.inhibition:  # Its axes are those of one step.
            spikes = torch.stack([self._fired(x)[1] for x in mem])
        else:
            _, spikes = self._fired(mem)
        after = self.others_after(steps, *others)
        last = (currents[steps:], *(x[-1] for x in after), mem[-1])
        every = (self._pasts(currents, steps), *after, mem) if states else ()
        return Run(spikes.to(dtype), every, last)

    def _pasts(self, currents: Tensor, steps: int) -> Tensor:
        """The currents that are kept after each step, ``[steps, k - 1, B, *]``."""
        if self.k == 1:
            return currents.new_empty(steps, 0, *currents.shape[1:])
        return torch.stack([currents[j : j + steps] for j in range(1, self.k)], 1)
