"""An associative memory of patterns."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike import checkpoint as checkpoint
from bitspike.arguments import as_tensor, expect_one_device, with_values
from bitspike.state import HiddenState, savable


class Hopfield(HiddenState):
    r"""Neurons with two states whose stored patterns are fixed points (Hopfield 1982).

    .. math::
        s[t] = \mathrm{sgn}(W s[t-1] + x[t]), \qquad
        W = \frac{1}{N}\left(ΞΞ^T - K·1\right)

    with ``K`` patterns of ``±1`` as the columns of ``Ξ``. All neurons are updated together; where
    the sum is 0 a neuron keeps its state. ``s`` starts as 0, so that the first input is the cue:
    ``±1`` where it is known, 0 where it is not; spikes say where it is 1. Up to about ``0.1·N``
    random patterns are recalled. Sums are whole numbers, and exact, before they are divided by
    ``N``.

    ``s`` is a hidden state, ``state``, zeroed by :func:`bitspike.utils.reset`; patterns are a
    buffer, ``patterns``, ``[K, N]``. There is no gradient.

    Args:
        n: Neurons ``N``.
        multi_step: Take a whole sequence per call, which starts from 0.

    Shapes:
        One step ``[B, N]``, a sequence ``[T, B, N]``; output the same: -1, 0 or 1 in the dtype of
        the patterns.

    Raises:
        ValueError: if ``n`` is below 1, and for an input of another shape.

    Example:
        >>> import torch, bitspike as snn
        >>> memory = snn.Hopfield(6)
        >>> memory.store(torch.tensor([[1, 1, 1, -1, -1, -1], [1, -1, 1, -1, 1, -1]]))
        >>> memory.recall(torch.tensor([[1.0, 1, 0, -1, -1, 0]]))
        tensor([[ 1.,  1.,  1., -1., -1., -1.]])
    """

    STATES = ("state",)

    state: Tensor
    patterns: Tensor

    def __init__(self, n: int, *, multi_step: bool = False) -> None:
        if n < 1:
            raise ValueError(f"n must be at least 1, not {n}")
        super().__init__()
        self.n = n
        self.multi_step = multi_step
        self.register_buffer("patterns", torch.zeros(0, n))

    @torch.no_grad()
    def store(self, patterns: Tensor) -> None:
        """Stores patterns beside those that are there.

        Args:
            patterns: ``[K, N]`` or ``[N]``: above 0, as spikes are, means 1, and all else -1.

        Raises:
            ValueError: for another shape.
        """
        patterns = as_tensor(patterns, "patterns", device=self.patterns.device)
        if patterns.dim() not in (1, 2) or patterns.shape[-1] != self.n:
            raise ValueError(f"patterns must be [K, {self.n}], not {tuple(patterns.shape)}")
        signs = torch.where(patterns > 0, 1.0, -1.0).to(self.patterns.dtype)
        self.patterns = torch.cat([self.patterns, signs.view(-1, self.n)])

    def forward(self, x: Tensor) -> Tensor:
        """One step, or a sequence if ``multi_step``."""
        x = as_tensor(x, "x")
        return self._run(x) if self.multi_step else self._run(x.unsqueeze(0)).squeeze(0)

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence ``[T, B, N]``, whatever ``multi_step`` says."""
        return self._run(as_tensor(x, "x"))

    @torch.no_grad()
    def recall(self, x: Tensor, max_steps: int = 100) -> Tensor:
        """The fixed point that a cue ``[B, N]`` leads to, whatever the hidden state is.

        Args:
            x: The cue, given in the first step alone.
            max_steps: Where two states alternate, or the way is longer, the state after so many.

        Raises:
            TypeError: for a cue without values, whose fixed point cannot be seen.
        """
        x = self._checked(with_values(as_tensor(x, "x"), "x").unsqueeze(0))[0]
        s = x.sign()
        for _ in range(max_steps):
            before, s = s, self._next(s, torch.zeros_like(x))
            if torch.equal(s, before):
                break
        return s

    @torch.no_grad()
    def _run(self, x: Tensor) -> Tensor:
        x = self._checked(x)
        checkpoint.note(self, not self.multi_step)
        s = savable(*self._kept())
        if self.multi_step or s.shape != x.shape[1:]:
            s = torch.zeros(x.shape[1:], dtype=x.dtype, device=x.device)
        states = []
        for step in x.unbind(0):
            s = self._next(s, step)
            states.append(s)
        if not self.multi_step:
            self._keep(self._before, (s,), detached=True)
        return torch.stack(states) if states else x

    def _checked(self, x: Tensor) -> Tensor:
        if x.dim() != 3 or x.shape[2] != self.n:
            raise ValueError(f"x must be [B, {self.n}] at each step, not {tuple(x.shape[1:])}")
        expect_one_device(x, "x", (("patterns", self.patterns),))
        return (x * 1).to(self.patterns.dtype)

    def _next(self, s: Tensor, x: Tensor) -> Tensor:
        overlaps = s @ self.patterns.t()
        field = (overlaps @ self.patterns - len(self.patterns) * s) / self.n + x
        return torch.where(field == 0, s, field.sign())

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        stored = state_dict.get(f"{prefix}patterns")
        if stored is not None and stored.dim() == 2 and stored.shape[1] == self.n:
            self.patterns = self.patterns.new_zeros(stored.shape)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"{self.n}, patterns={len(self.patterns)}"
