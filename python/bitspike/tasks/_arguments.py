"""What tasks ask of their arguments."""

from __future__ import annotations


def at_least(smallest: int, **counts: int) -> None:
    """Raises a ValueError if one of ``counts`` is no whole number or smaller than that."""
    for name, count in counts.items():
        if not isinstance(count, int) or isinstance(count, bool) or count < smallest:
            raise ValueError(f"{name} must be a whole number from {smallest} on, not {count!r}")


def positive(**numbers: float) -> None:
    """Raises a ValueError if one of ``numbers`` is not positive."""
    for name, number in numbers.items():
        if not number > 0:
            raise ValueError(f"{name} must be positive, not {number!r}")


def probabilities(**values: float) -> None:
    """Raises a ValueError if one of ``values`` lies outside 0 to 1."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value!r}")
