"""What a call in a loop makes at all steps, as far as anybody asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Steps:
    """The tensors of all steps: one sequence ``[T, *]``, or one tensor for each step.

    Args:
        count: How many steps there are.
        whole: The sequence, or None.
        each: The tensors, or None; they may still be coming.
        last: That of the last step, if it is known beside the sequence, or all that is.
    """

    def __init__(
        self,
        count: int,
        whole: Tensor | None = None,
        each: list[Any] | None = None,
        last: Tensor | None = None,
    ) -> None:
        self.count = count
        self._whole = whole
        self._each = each
        self._last = last
        self.one: Tensor | None = None
        """The tensor of every step, if it is the same."""

    @classmethod
    def same(cls, x: Tensor, count: int) -> Steps:
        """One tensor for all steps."""
        steps = cls(count, last=x)
        steps.one = x
        return steps

    def whole(self) -> Tensor:
        """The sequence ``[T, *]``."""
        if self._whole is None and self.one is not None:
            self._whole = torch.broadcast_to(self.one, (self.count, *self.one.shape))
        if self._whole is None:
            self._whole = torch.stack(list(self.each()))
        return self._whole

    def each(self) -> Sequence[Tensor]:
        """The tensors of the steps."""
        if self._each is None:
            one, whole = self.one, self._whole
            if one is not None:
                self._each = [one] * self.count
            else:
                assert whole is not None
                self._each = list(whole.unbind(0))
        return self._each

    def at(self, step: int) -> Tensor:
        """The tensor of one step."""
        if self._last is not None and step == self.count - 1:
            return self._last
        return self.each()[step]

    def append(self, x: Tensor) -> None:
        """Adds the tensor of the next step."""
        assert self._each is not None
        self._each.append(x)

    def part(self, start: int, stop: int, front: Sequence[Any] = ()) -> Steps:
        """Some of the steps, behind others."""
        count = len(front) + stop - start
        if self._whole is None:
            return Steps(count, each=[*front, *self.each()[start:stop]])
        whole = self._whole if (start, stop) == (0, self.count) else self._whole[start:stop]
        if front:
            whole = torch.cat([torch.stack(list(front)), whole])
        return Steps(count, whole)
