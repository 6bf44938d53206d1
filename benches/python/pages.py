"""Writes tables of pages from the records: ``python benches/python/pages.py``.

README.md and docs/speed.md have one each, between two comments, as fresh as the records are.
"""

import argparse
import csv
import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
MARK = re.compile(r"(<!-- from benches/record -->\n).*?(<!-- end -->\n)", re.S)
PEERS = ("snnTorch", "SpikingJelly", "jax", "products")
HEADING = ("", "bitspike", "snnTorch", "SpikingJelly", "jax", "products alone")
# What a part calls torch's products without a neuron.
PRODUCTS = ("products", "dense products", "torch NHWC")


class Line(NamedTuple):
    """A row of the table, and where its numbers are."""

    label: str
    part: str
    subject: str
    task: str
    density: float | None = None


class Table(NamedTuple):
    """A table of a page: the instruction set of its records, and its rows."""

    page: str
    isa: str
    lines: tuple[Line, ...]


FIRST, HIDDEN = "Linear + LIF, input without gradient", "Linear + LIF, input with gradient"
SHD, DEEP = "700-256-256-20, T=250 B=64", "four layers of 512, T=500 B=32"
CONV, CELL = "2×34×34 conv 12, conv 32, 10, T=20 B=16", "T=500 B=16 512→512"

LAYER = Line("`Linear` 512 + LIF, T=500, B=16, 3 % input, first layer", "layers", CELL, FIRST, 0.03)
NETWORK = Line("700-256-256-20, T=250, B=64: a step of Adam", "networks", SHD, "Adam step")
MAPS = Line("conv 12, conv 32, 10 on 34×34, T=20, B=16: Adam", "networks", CONV, "Adam step")
STREAM = Line(
    "one sample, step by step, `snn.stream`: three layers of 256",
    *("streaming", "three layers of 256, T=200 B=1", "snn.stream, floats"),
)
ALL = (
    NETWORK,
    Line("the same, surrogate `triangle(0.2)`", "networks", SHD, "Adam step, triangle(0.2)"),
    Line("the same, inference", "networks", SHD, "inference"),
    Line("four layers of 512, T=500, B=32: a step of Adam", "networks", DEEP, "Adam step"),
    MAPS,
    Line("the same, inference", "networks", CONV, "inference"),
    STREAM,
    LAYER,
    Line("the same as a hidden layer: its input needs a gradient", "layers", CELL, HIDDEN, 0.03),
    Line(
        "`Conv2d` 32→64, 3×3, 28×28, 5 % input: with gradient",
        *("conv", "32→64 3×3, 28×28, R=512", "forward, gradient of weight and bias", 0.05),
    ),
)
TABLES = (
    Table("README.md", "avx2", (LAYER, NETWORK, MAPS, STREAM)),
    Table("docs/speed.md", "avx512", ALL),
)


def markdown(table: Table) -> str:
    """The lines of a table."""
    rows = [HEADING, ("---",) * len(HEADING), *(cells(line, table.isa) for line in table.lines)]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def cells(line: Line, isa: str) -> tuple[str, ...]:
    """A row: our time, and how many times as long others take."""
    took = medians(line, isa)
    ours = took["bitspike"]
    products = next((took[name] for name in PRODUCTS if name in took), None)
    others = [*(took.get(peer) for peer in PEERS[:-1]), products]
    return line.label, amount(ours), *("–" if x is None else factor(x / ours) for x in others)


def medians(line: Line, isa: str) -> dict[str, float]:
    """Seconds of each library."""
    file = ROOT / "benches" / "record" / f"{line.part}-{isa}.csv"
    with file.open(encoding="utf-8", newline="") as stream:
        found = {
            row["library"]: float(row["median"])
            for row in csv.DictReader(stream)
            if (row["subject"], row["task"]) == (line.subject, line.task)
            and (line.density is None or round(float(row["density_in"]), 2) == line.density)
        }
    if "bitspike" not in found:
        raise LookupError(f"{file.name} has no row for {line}")
    return found


def amount(seconds: float) -> str:
    """Milliseconds with two digits."""
    return f"{digits(1e3 * seconds)} ms" if seconds >= 1e-3 else f"{digits(1e6 * seconds)} µs"


def factor(ratio: float) -> str:
    """A ratio with two digits."""
    return f"{digits(ratio)}×"


def digits(value: float) -> str:
    """A number with two digits, or all those before the point."""
    return f"{value:.1f}" if value < 9.95 else f"{value:.0f}"


def main() -> None:
    """Replaces the tables."""
    parser = argparse.ArgumentParser(prog="benches/python/pages.py", description=__doc__)
    parser.add_argument("--pages", type=Path, default=ROOT, help="the folder with README.md")
    folder = parser.parse_args().pages
    for table in TABLES:
        page = folder / table.page
        text, found = MARK.subn(rf"\g<1>{markdown(table)}\g<2>", page.read_text(encoding="utf-8"))
        if found != 1:
            raise LookupError(f"{page} must have one place for the table, not {found}")
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
