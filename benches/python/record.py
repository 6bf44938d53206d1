"""The record of a part of the bench: one row for each thing that was measured.

A row holds what each library took, in seconds or in bytes. Tables for people (markdown) and for
programs (CSV) are written from the same rows; the first library of a part is what the others are
divided by.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch

import machine
from timing import Sample

FIELDS = (
    *("subject", "task", "density_in", "density_out", "active", "threads"),
    *("library", "unit", "median", "spread", "flips", "rounds"),
)


@dataclass(frozen=True)
class Row:
    """What was measured, under which circumstances, and what each library took."""

    subject: str
    task: str
    samples: dict[str, Sample]
    density_in: float | None = None
    """Share of the inputs that are spikes."""
    density_out: float | None = None
    """Share of the neuron-steps that fire."""
    active: float | None = None
    """Share of the neuron-steps at which the surrogate is not 0, if it can be."""
    flips: dict[str, float] = field(default_factory=dict)
    """Share of the output spikes that differ from ours, of each library that was compared."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a library that the part compares with has no time here."""
    unit: str = "s"
    threads: int = field(default_factory=torch.get_num_threads)

    def ratio(self, library: str, base: str) -> float | None:
        """How many times as much as ``base`` the library took."""
        if library not in self.samples or base not in self.samples:
            return None
        return self.samples[library].median / self.samples[base].median


class Options(NamedTuple):
    """What the command line asks of every part."""

    only: str
    """A part of the subject's name."""
    rounds: int
    threads: tuple[int, ...]
    """The numbers of threads that scaling is measured for."""
    tiny: bool
    """Whether sizes are such that all runs in seconds, and the times mean nothing."""


class Part(NamedTuple):
    """A table of the record."""

    title: str
    libraries: tuple[str, ...]
    """The columns of times; the first is what others are divided by."""
    notes: str
    measure: Callable[[Options], Iterator[Row]]


def cells(row: Row, part: Part) -> list[str]:
    """The fields of a row as text."""
    base, *others = part.libraries
    ratios = [row.ratio(library, base) for library in others]
    return [
        row.subject,
        row.task,
        *("" if x is None else f"{x:.1%}" for x in (row.density_in, row.density_out, row.active)),
        str(row.threads),
        _amount(row.samples[base], row.unit),
        *("" if ratio is None else f"{ratio:.{0 if ratio >= 99.5 else 1}f}×" for ratio in ratios),
    ]


def columns(part: Part) -> list[str]:
    """The headings of :func:`cells`."""
    return ["what", "task", "input", "output", "active", "threads", *part.libraries]


def write(part: Part, rows: list[Row], file: Path, rounds: int) -> None:
    """Writes ``file`` (markdown), with the machine above the table and notes below, and a CSV."""
    file.parent.mkdir(parents=True, exist_ok=True)
    table = [columns(part), *(cells(row, part) for row in rows)]
    # A column without entries says nothing.
    kept = [i for i, column in enumerate(zip(*table, strict=True)) if any(column[1:])]
    heading, *lines = (_line([line[i] for i in kept]) for line in table)
    text = [f"# {part.title}", "", *machine.description(rounds), ""]
    text += [heading, _line(["---"] * len(kept)), *lines, "", part.notes.strip()]
    text += [f"* Left out: {reason}." for reason in _reasons(rows)]
    flips = max((share for row in rows for share in row.flips.values()), default=None)
    if flips is not None:
        text.append(f"* At most {flips:.1e} of the output spikes differed between libraries.")
    file.write_text("\n".join(text) + "\n", encoding="utf-8")
    with file.with_suffix(".csv").open("w", newline="", encoding="utf-8") as stream:
        out = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        out.writeheader()
        for row in rows:
            out.writerows(_records(row))


def _records(row: Row) -> Iterator[dict[str, object]]:
    common = {name: getattr(row, name) for name in FIELDS if hasattr(row, name) and name != "flips"}
    for library, sample in row.samples.items():
        yield common | {
            "library": library,
            "median": f"{sample.median:.6g}",
            "spread": f"{sample.spread:.3f}",
            "flips": row.flips.get(library),
            "rounds": " ".join(f"{value:.6g}" for value in sample.values),
        }


def _reasons(rows: list[Row]) -> list[str]:
    """Each reason once, in the order of the rows."""
    found = {
        f"{library}, {row.subject}, {row.task}: {why}": None
        for row in rows
        for library, why in row.missing.items()
    }
    return list(found)


def _amount(sample: Sample, unit: str) -> str:
    if unit != "s":
        return f"{sample.median:.2f} {unit}"
    milliseconds = 1e3 * sample.median
    amount = f"{milliseconds:.2f} ms" if milliseconds >= 0.1 else f"{1e3 * milliseconds:.1f} µs"
    return f"{amount} ± {sample.spread:.0%}"


def _line(entries: list[str]) -> str:
    return f"| {' | '.join(entries)} |"
