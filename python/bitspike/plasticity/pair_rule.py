"""What rules of pairs of spikes share: how strong changes are, and how they are applied."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor

from bitspike.ops.traces import LearningArguments

from .bounds import Bound, Line
from .pairing import Pairs, learned, pieces, summed
from .places import Rows
from .rule import SynapticRule


class Strength(NamedTuple):
    """How much a weight changes with ``P`` and with ``D``: ``p·P - d·D``, and its bounds."""

    bound: Bound
    amplitude: tuple[float, float]
    """Of ``P`` and ``D``; negative if the sign is another one than usual."""

    def lines(self) -> tuple[Line, Line] | None:
        """``p`` and ``d`` as lines of the weight; None if they are none."""
        lines = self.bound.lines()
        if lines is None:
            return None
        first, second = self._chosen(*lines)
        (a, b) = self.amplitude
        return (a * first[0], a * first[1]), (b * second[0], b * second[1])

    def curves(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """``p`` and ``d`` of weights."""
        first, second = self._chosen(*self.bound.curves(weight))
        return self.amplitude[0] * first, self.amplitude[1] * second

    def _chosen(self, up: Tensor | Line, down: Tensor | Line) -> tuple[Any, Any]:
        """What lets a weight rise depends on it as ``up``, what lets it fall as ``down``."""
        a, b = self.amplitude
        return (up if a >= 0 else down), (down if b >= 0 else up)


class PairRule(SynapticRule):
    """Base of the rules whose changes are sums of pairs of spikes and traces.

    Example:
        >>> from bitspike import plasticity
        >>> isinstance(plasticity.STDP(), plasticity.PairRule)
        True
    """

    _strength: Strength

    def _pairs(self, pre: Tensor, post: Tensor, weight: Tensor, state: dict[str, Tensor]) -> Pairs:
        """The pairs of a piece of time; ``state`` goes on with it."""
        raise NotImplementedError

    def _blocks(self, rows: Rows, weight: Tensor, state: dict[str, Tensor]) -> Iterator[Pairs]:
        for pre, post in pieces(rows.pre, rows.post):
            yield self._pairs(pre, post, weight, state)

    def _within(self, weight: Tensor) -> Tensor:
        return self._strength.bound.clamp(weight)

    def _learned(self, rows: Rows, weight: Tensor, state: dict[str, Tensor], lr: float) -> Tensor:
        bound = self._strength.bound
        lines = self._strength.lines()
        blocks = self._blocks(rows, weight, state)
        if lines is not None:
            return learned(blocks, LearningArguments(lr, *lines, (bound.low, bound.high)), weight)
        for pairs in blocks:
            for step in pairs.steps():
                change = summed([step], *self._strength.curves(weight))
                weight = self._within(weight + lr * change)
        return weight

    def _changed(
        self, rows: Rows, weight: Tensor, state: dict[str, Tensor], change: Tensor
    ) -> Tensor:
        rise, fall = self._strength.curves(weight)
        return summed(self._blocks(rows, weight, state), rise, fall, change)
