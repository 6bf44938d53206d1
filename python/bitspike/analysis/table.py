"""Text in columns."""

from __future__ import annotations

import math
from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 2) -> str:
    """Rows under a heading: the first ``words`` columns are words, the others numbers."""
    lines = [head, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i < words else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def percent(share: float | None) -> str:
    """A share as a percentage; a dash for none."""
    if share is None:
        return "–"
    value = 100 * share
    # A share just above 0 or below 1 is not rounded to 0 % or 100 %.
    if 0 < value < 0.05:
        return "<0.1 %"
    if 99.95 <= value < 100:
        return ">99.9 %"
    return f"{value:.1f} %" if value < 99.95 else "100 %"


def number(value: float | None) -> str:
    """A number of any magnitude with two digits; a dash for none."""
    if value is None:
        return "–"
    return f"{value:.1e}" if value else "0"


def si(number: float, unit: str = "") -> str:
    """A number that is not negative, with three digits and a prefix, as in ``12.3 kB``.

    Counts, which have no unit, take no prefix below one.
    """
    if not number:
        return f"0 {unit}".rstrip()
    # What rounds to a thousand takes the next prefix.
    power = math.floor(math.log10(float(f"{number:.2e}")) / 3)
    power = min(max(power, -5 if unit else 0), 4)
    prefix = "fpnµm kMGT"[power + 5].strip()
    return f"{number / 1000.0**power:.3g} {prefix}{unit}".rstrip()
