"""Numbers and columns of the reports."""

import pytest

from bitspike.analysis.table import number, percent, si, table


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "J", "0 J"),
        (0, "", "0"),
        (12345, "B", "12.3 kB"),
        (999.4, "", "999"),
        (999.6, "", "1 k"),
        (0.375, "", "0.375"),
        (0.375, "J", "375 mJ"),
        (4.6e-12, "J", "4.6 pJ"),
        (2e-18, "J", "0.002 fJ"),
        (1e15, "B", "1e+03 TB"),
    ],
)
def test_prefixes(value, unit, text):
    assert si(value, unit) == text


def test_shares_that_are_nearly_nothing_or_all_are_not_shown_as_such():
    shares = (None, 0, 1e-4, 1e-3, 0.5, 0.9994, 0.9999, 1)
    assert [percent(share) for share in shares] == [
        "–", "0.0 %", "<0.1 %", "0.1 %", "50.0 %", "99.9 %", ">99.9 %", "100 %",
    ]  # fmt: skip


def test_magnitudes():
    assert [number(x) for x in (None, 0.0, 1234, 1e-9)] == ["–", "0", "1.2e+03", "1.0e-09"]


def test_words_are_left_and_numbers_right():
    assert table(("a", "kind", "n"), [("long", "b", "1"), ("c", "d", "100")]) == (
        "a     kind    n\nlong  b       1\nc     d     100"
    )
