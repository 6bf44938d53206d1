"""Draw the pictures of docs/speed.md from the tables in benches/record.

python examples/speed.py --out docs/images            seconds
python examples/speed.py --isa avx2 --out elsewhere   of other records
"""

import argparse
import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from drawing import BLUE, COLOURS, GREEN, GREY, LINE, ORANGE, VIOLET, figure, save, tidy

RECORDS = Path(__file__).parents[1] / "benches" / "record"
FIRST = "Linear + LIF, input without gradient"
HIDDEN = "Linear + LIF, input with gradient"
TASKS = {FIRST: "first layer", HIDDEN: "hidden layer"}
CELL = re.compile(r"T=(\d+) B=(\d+) (\d+)→(\d+)")
LIBRARIES = (
    *("bitspike", "products, bf16", "products", "jax", "SpikingJelly"),
    *("snnTorch compiled", "snnTorch batched", "snnTorch"),
)


PEERS = {
    "snnTorch": BLUE,
    "SpikingJelly": GREEN,
    "jax": VIOLET,
    "dense products": GREY,
}


class Entry(NamedTuple):
    """What one library took for one row of a table."""

    subject: str
    task: str
    density: float
    threads: int
    library: str
    median: float


class Point(NamedTuple):
    """How many times as long a peer took, over what is varied."""

    x: float
    ratio: float


def read(part: str, isa: str) -> list[Entry]:
    """The lines of ``<part>-<isa>.csv``."""
    with (RECORDS / f"{part}-{isa}.csv").open(encoding="utf-8", newline="") as file:
        return [
            Entry(
                line["subject"],
                line["task"],
                float(line["density_in"] or 0),
                int(line["threads"]),
                line["library"],
                float(line["median"]),
            )
            for line in csv.DictReader(file)
        ]


def main() -> None:
    """Draws all."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=True)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the pictures")
    parser.add_argument("--isa", default="avx512", help="instruction set of the records")
    arguments = parser.parse_args()
    drawings: dict[str, Callable[[str], Figure]] = {
        "speed_networks": draw_networks,
        "speed_density": draw_density,
        "speed_sizes": draw_sizes,
        "speed_threads": draw_threads,
    }
    for name, draw in drawings.items():
        save(draw(arguments.isa), arguments.out / f"{name}.png")


def draw_networks(isa: str) -> Figure:
    """A bar for each library, for the train step of each network and for its inference."""
    entries = [e for e in read("networks", isa) if e.task in ("Adam step", "inference")]
    subjects = list(dict.fromkeys(entry.subject for entry in entries))
    page = figure(10, 2.3 * len(subjects))
    for axes, subject in zip(page.subplots(len(subjects), 2, squeeze=False), subjects, strict=True):
        for ax, task in zip(axes, ("Adam step", "inference"), strict=True):
            took = {e.library: e.median for e in entries if (e.subject, e.task) == (subject, task)}
            draw_bars(ax, took)
            name, _, sizes = subject.rpartition(", ")
            tidy(ax, f"{name}: {task}", xlabel=f"ms, {sizes}")
    return page


def draw_bars(ax: Axes, took: dict[str, float]) -> None:
    """Milliseconds."""
    names = [library for library in LIBRARIES if library in took]
    values = [1e3 * took[name] for name in names]
    colours = [ORANGE if name == "bitspike" else GREY for name in names]
    bars = ax.barh(names, values, color=colours, height=0.7)
    labels = [f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in values]
    ax.bar_label(bars, labels, padding=3, fontsize=8)
    ax.margins(x=0.1)
    ax.tick_params(axis="y", labelsize=8)
    ax.invert_yaxis()


def draw_density(isa: str) -> Figure:
    """Gain over peers against density, of Linear with a neuron and of convolutions."""
    page = figure(12.5, 3.8)
    *linear, forward, both = page.subplots(1, 4, sharey=True)
    sweeps = [e for e in read("sweeps", isa) if e.subject == "T=100 B=32 512→512"]
    for ax, (task, label) in zip(linear, TASKS.items(), strict=True):
        draw_peers(ax, [e for e in sweeps if e.task == task], lambda e: e.density)
        first = ax is linear[0]
        ylabel = "times as long as bitspike" if first else ""
        tidy(ax, f"512→512 and LIF, {label}", ylabel, "density of the input")
    convolutions = read("conv", isa)
    subjects = list(dict.fromkeys(entry.subject for entry in convolutions))
    titles = {"forward": "convolution, forward"}
    for ax, task in zip((forward, both), dict.fromkeys(e.task for e in convolutions), strict=True):
        for colour, subject in zip(COLOURS, subjects, strict=False):
            chosen = (e for e in convolutions if (e.subject, e.task) == (subject, task))
            draw_line(
                ax,
                ratios(chosen, "torch NHWC", lambda e: e.density),
                colour,
                subject.split(",")[0],
            )
        tidy(ax, titles.get(task, "with gradient of filters"), xlabel="density of the input")
    for ax in (*linear, forward, both):
        scale(ax, lambda value, _: f"{100 * value:g} %")
    return page


def draw_sizes(isa: str) -> Figure:
    """Gain over peers against the number of steps, of samples, and of neurons."""
    entries = [e for e in read("sweeps", isa) if abs(e.density - 0.03) < 1e-9]
    page = figure(10.5, 6.8)
    varied = {"steps T": 1, "samples B": 2, "inputs and neurons": 4}
    centre = {1: 100, 2: 32, 4: 512}
    names = {1: "T", 2: "B", 4: "n"}
    rows = page.subplots(len(TASKS), len(varied), sharey=True, sharex="col")
    for i, (axes, (task, name)) in enumerate(zip(rows, TASKS.items(), strict=True)):
        for ax, (label, group) in zip(axes, varied.items(), strict=True):
            fixed = {other: value for other, value in centre.items() if other != group}
            chosen = [
                e
                for e in entries
                if e.task == task and all(size(e, g) == value for g, value in fixed.items())
            ]
            draw_peers(ax, chosen, lambda e, group=group: size(e, group))
            kept = ", ".join(f"{names[g]}={value}" for g, value in fixed.items())
            ylabel = "times as long as bitspike" if ax is axes[0] else ""
            tidy(ax, f"{name}, {kept}", ylabel, label if i == len(rows) - 1 else "")
            scale(ax, lambda value, _: f"{value:g}")
    return page


def draw_peers(ax: Axes, entries: list[Entry], x: Callable[[Entry], float]) -> None:
    """A line for each peer that the record has."""
    there = {e.library for e in entries}
    for library, colour in PEERS.items():
        if library in there:
            draw_line(ax, ratios(entries, library, x), colour, library)


def draw_threads(isa: str) -> Figure:
    """What more threads gain, for each library that the record has."""
    entries = read("scaling", isa)
    there = {e.library for e in entries}
    libraries = [library for library in ("bitspike", *PEERS) if library in there]
    jobs = list(dict.fromkeys((e.subject, e.task) for e in entries))
    page = figure(5 * len(libraries), 5.2)
    axes = page.subplots(1, len(libraries), sharey=True, squeeze=False)[0]
    for ax, library in zip(axes, libraries, strict=True):
        for i, (subject, task) in enumerate(jobs):
            took = {
                e.threads: e.median
                for e in entries
                if (e.subject, e.task, e.library) == (subject, task, library)
            }
            if not took:
                continue
            gains = [Point(threads, took[min(took)] / took[threads]) for threads in sorted(took)]
            short = TASKS.get(task, task.split(",")[0])
            colour = COLOURS[i % len(COLOURS)]
            draw_line(ax, gains, colour, f"{subject}: {short}", "-" if i < len(COLOURS) else "--")
        most = max(e.threads for e in entries)
        ax.plot([1, most], [1, most], color=GREY, linestyle=":", linewidth=1)
        tidy(ax, library, "times as fast as one thread" if library == "bitspike" else "", "threads")
        ax.set_xticks(sorted({e.threads for e in entries}))
        ax.legend(frameon=False, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, -0.18))
        ax.grid(alpha=0.25)
    return page


def size(entry: Entry, group: int) -> int:
    """T, B, inputs or neurons of a layer: 1 to 4."""
    match = CELL.fullmatch(entry.subject)
    if match is None:
        raise ValueError(f"no sizes in {entry.subject!r}")
    return int(match[group])


def ratios(entries: Iterable[Entry], peer: str, x: Callable[[Entry], float]) -> list[Point]:
    """How many times as long as bitspike the peer took, in the order of x."""
    took: dict[float, dict[str, float]] = {}
    for entry in entries:
        took.setdefault(x(entry), {})[entry.library] = entry.median
    return [Point(at, took[at][peer] / took[at]["bitspike"]) for at in sorted(took)]


def draw_line(ax: Axes, points: list[Point], colour: str, label: str, style: str = "-") -> None:
    """A curve."""
    x, y = [point.x for point in points], [point.ratio for point in points]
    ax.plot(x, y, color=colour, label=label, linestyle=style, **LINE)


def scale(ax: Axes, horizontal: Callable[[float, int], str]) -> None:
    """Both axes logarithmic, with plain numbers; a line where both libraries are equally fast."""
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.axhline(1, color=GREY, linewidth=1, linestyle="--")
    ax.xaxis.set_major_formatter(FuncFormatter(horizontal))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}×"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_yticks([0.5, 1, 2, 5, 10, 20, 50])
    ax.set_ylim(0.5, 50)
    ax.legend(frameon=False, fontsize=8)
    ax.grid(alpha=0.25)


if __name__ == "__main__":
    main()
