"""Dropout whose mask holds for a whole sequence."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from bitspike import checkpoint as checkpoint
from bitspike.arguments import as_tensor
from bitspike.state import HiddenState, savable


class TimeDropout(HiddenState):
    r"""Dropout with one mask for all steps of a sequence (Gal & Ghahramani 2016).

    .. math::
        y[t] = x[t]·m/(1-p), \qquad m \sim \mathrm{Bernoulli}(1-p), \text{ one draw for all } t

    A neuron that is dropped is silent for the whole sequence; a mask drawn anew at each step would
    average out over time. In evaluation the input passes unchanged.

    In single steps the mask is drawn at the first step and kept, as a hidden state, until
    :func:`bitspike.utils.reset` or :meth:`reset_mem`, or until the input has another shape. With
    ``multi_step=True`` each call is a sequence and draws its own. `unroll` hands over whole
    sequences, and keeps the mask like single steps.

    Args:
        p: The probability that an element is dropped.
        multi_step: Take a whole sequence per call.

    Shapes:
        One step ``[B, *]``, a sequence ``[T, B, *]``; output the same.

    Raises:
        ValueError: if ``p`` is outside ``[0, 1]``, or a sequence has no time axis.

    Example:
        >>> import torch, bitspike as snn
        >>> dropped = snn.TimeDropout(0.5, multi_step=True)(torch.ones(9, 4, 20))
        >>> bool((dropped == dropped[0]).all()), sorted(set(dropped.flatten().tolist()))
        (True, [0.0, 2.0])
    """

    STATES = ("mask",)

    mask: Tensor

    def __init__(self, p: float = 0.5, *, multi_step: bool = False) -> None:
        """Checks ``p``."""
        if not 0 <= p <= 1:
            raise ValueError(f"p must be in [0, 1], not {p}")
        super().__init__()
        self.p = p
        self.multi_step = multi_step

    def forward(self, x: Tensor) -> Tensor:
        """One step, or a sequence if ``multi_step``."""
        x = as_tensor(x, "x")
        if not self.multi_step:
            return self._drop(x, x.shape)
        self.reset_mem()
        return self.run_sequence(x)

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence ``[T, B, *]`` under the kept mask, whatever ``multi_step`` says."""
        x = as_tensor(x, "x")
        if x.dim() == 0:
            raise ValueError("x must be a sequence [T, B, *], not a number")
        return self._drop(x, x.shape[1:])

    def _drop(self, x: Tensor, step: torch.Size) -> Tensor:
        if not self.training:
            return x
        if not x.is_floating_point():
            x = x.to(torch.get_default_dtype())
        checkpoint.note(self, bool(self.mask.numel()))
        mask = savable(*self._kept())
        if mask.shape != step or mask.dtype != x.dtype or mask.device != x.device:
            mask = F.dropout(torch.ones(step, dtype=x.dtype, device=x.device), self.p)
            self._keep(self._before, (mask,), detached=True)
        return x * mask

    def reset_mem(self) -> Tensor:
        """Forgets the mask: the next step draws another."""
        nothing = torch.zeros(0)
        self._keep(self._before, (nothing,), detached=True)
        return nothing

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"p={self.p}, multi_step={self.multi_step}"
