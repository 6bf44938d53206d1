"""How far a weight may rise and fall, and how much of the way it goes."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from bitspike.arguments import expect_choice

Line = tuple[float, float]
"""``(c, k)`` of ``c + k·w``."""

_RANGES = {
    "none": (-math.inf, math.inf),
    "hard": (0.0, 1.0),
    "soft": (0.0, 1.0),
    "power": (0.0, 1.0),
    "van_rossum": (0.0, math.inf),
    "morrison": (0.0, math.inf),
    "proportional": (-math.inf, math.inf),
}


class Bound(NamedTuple):
    """How changes of a weight depend on it, and the range in which it stays."""

    kind: str
    low: float
    high: float
    mu: tuple[float, float]
    """The exponents ``μ₊`` and ``μ₋`` of ``"power"``; of ``"morrison"`` the first."""
    w_0: float
    """The reference weight of ``"morrison"``."""

    @staticmethod
    def of(
        rule: str,
        kind: str,
        w_min: float | None,
        w_max: float | None,
        mu: float | tuple[float, float] | None = None,
        w_0: float = 1.0,
    ) -> Bound:
        """The bound that a rule is given by these arguments.

        Raises:
            ValueError: for an unknown kind, and numbers that make no bound of that kind.
        """
        expect_choice("bound", kind, _RANGES)
        low, high = _RANGES[kind]
        if kind == "none" and (w_min is not None or w_max is not None):
            raise ValueError(f"{rule}: bound='none' has no w_min and no w_max; take bound='hard'")
        low, high = low if w_min is None else float(w_min), high if w_max is None else float(w_max)
        if not low < high:
            raise ValueError(f"{rule}: w_min={low} must be below w_max={high}")
        if kind in ("soft", "power") and not math.isfinite(high - low):
            raise ValueError(f"{rule}: bound={kind!r} needs a finite w_min and w_max")
        if kind in ("van_rossum", "morrison") and low < 0:
            raise ValueError(f"{rule}: bound={kind!r} needs weights that are not negative: w_min=0")
        exponents = mu if isinstance(mu, tuple) else (0.4 if kind == "morrison" else 0.2,) * 2
        if isinstance(mu, int | float):
            exponents = (float(mu), float(mu))
        if min(exponents) < 0 or not w_0 > 0:
            raise ValueError(f"{rule}: mu={mu} must not be negative, and w_0={w_0} be positive")
        return Bound(kind, low, high, exponents, w_0)

    def clamp(self, weight: Tensor) -> Tensor:
        """Weights within the range."""
        return weight.clamp(self.low, self.high)

    def lines(self) -> tuple[Line, Line] | None:
        """``f₊`` and ``f₋`` as lines; None if they are none."""
        lines: dict[str, tuple[Line, Line]] = {
            "none": ((1.0, 0.0), (1.0, 0.0)),
            "hard": ((1.0, 0.0), (1.0, 0.0)),
            "soft": ((self.high, -1.0), (-self.low, 1.0)),
            "van_rossum": ((1.0, 0.0), (0.0, 1.0)),
            "proportional": ((0.0, 1.0), (0.0, 1.0)),
        }
        return lines.get(self.kind)

    def curves(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """``f₊`` and ``f₋`` of weights within the range."""
        lines = self.lines()
        if lines is not None:
            (c_plus, k_plus), (c_minus, k_minus) = lines
            return c_plus + k_plus * weight, c_minus + k_minus * weight
        if self.kind == "morrison":
            return weight ** self.mu[0] * self.w_0 ** (1 - self.mu[0]), weight
        share = (weight - self.low) / (self.high - self.low)
        return (1 - share) ** self.mu[0], share ** self.mu[1]
