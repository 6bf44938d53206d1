"""The table of ratios, as markdown and as CSV."""

import csv
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from problem import BETA, MEMBRANE_DEVIATION, Problem
from timing import Times

PEERS = ("snnTorch", "SpikingJelly", "jax", "dense products")
COLUMNS = ("layer", "task", "input", "output", "bitspike", *PEERS)
NOTES = f"""
* Milliseconds are medians of alternating rounds, ± half the distance between the quartiles. The
  other columns say how many times as long a peer took: above 1, bitspike is faster.
* One step is forward and backward with a dense random gradient of the output spikes. β = {BETA},
  θ = 1, atan(2), reset by subtraction, not differentiated. Inputs are Bernoulli spikes; weights are
  normal, scaled so that a membrane without reset deviates by {MEMBRANE_DEVIATION} thresholds.
* Spikes and gradients were compared before anything was timed. Spikes of bitspike and snnTorch are
  equal. SpikingJelly resets in the step of the spike and not one later: as much work, other spikes;
  it is compared with its own rule. In jax, {{flips:.1e}} of the neuron-steps flipped at most.
* snnTorch: batched Linear, loop over `unbind`. SpikingJelly: multi-step, torch backend. jax:
  `jit(lax.scan)`, compiled before. Dense products: torch's GEMMs of the step alone, no neuron.
* RLeaky: a dense connection from 512 neurons to themselves, in jax inside the scan; the row's
  weights, scaled so that about 3 % fire, are normal as well.
* Last row: the network of examples/mnist.py written for snnTorch, one step at a time, with only the
  import changed; one epoch of 32 batches of 128, 25 steps.
"""


@dataclass(frozen=True)
class Row:
    """One line of the table: what was timed, and the times of each library."""

    layer: str
    task: str
    density_in: float | None
    density_out: float | None
    times: dict[str, Times]
    flips: dict[str, float]

    @classmethod
    def of(
        cls, problem: Problem, density_out: float, times: dict[str, Times], flips: dict[str, float]
    ) -> "Row":
        """The line of a problem."""
        density_in = None if problem.density is None else problem.x.mean().item()
        layer, task = str(problem.cell), problem.task.value
        return cls(layer, task, density_in, density_out, times, flips)

    def ratio(self, peer: str) -> float | None:
        """How many times as long as bitspike the peer took."""
        if peer not in self.times:
            return None
        return self.times[peer].median / self.times["bitspike"].median

    def cells(self) -> list[str]:
        """Its fields as text."""
        ours = self.times["bitspike"]
        ratios = [self.ratio(peer) for peer in PEERS]
        return [
            self.layer,
            self.task,
            *("" if d is None else f"{d:.1%}" for d in (self.density_in, self.density_out)),
            f"{ours.median * 1e3:.2f} ms ± {ours.spread:.0%}",
            *("" if ratio is None else f"{ratio:.1f}×" for ratio in ratios),
        ]


def write(rows: list[Row], folder: Path, isa: str, rounds: int) -> Path:
    """Writes ``peers-<isa>.md`` and ``.csv`` into ``folder``; returns the first."""
    flips = max((row.flips.get("jax", 0.0) for row in rows), default=0.0)
    cells = [row.cells() for row in rows]
    file = folder / f"peers-{isa}.md"
    table("bitspike and its peers", COLUMNS, cells, NOTES.format(flips=flips), file, isa, rounds)
    with file.with_suffix(".csv").open("w", newline="") as stream:
        out = csv.writer(stream, lineterminator="\n")
        out.writerow(["layer", "task", "density_in", "density_out", "library", "flips", "seconds"])
        for row in rows:
            for name, times in row.times.items():
                what = [row.layer, row.task, row.density_in, row.density_out, name]
                out.writerow([*what, row.flips.get(name), *times.seconds])
    return file


def table(
    title: str,
    columns: tuple[str, ...],
    cells: list[list[str]],
    notes: str,
    file: Path,
    isa: str,
    rounds: int,
) -> None:
    """Writes a table with the machine that it comes from above it, and notes below."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# {title}", "", *_machine(isa, rounds), ""]
    lines += [_line(columns), _line(["---"] * len(columns)), *map(_line, cells)]
    file.write_text("\n".join(lines) + "\n" + notes)


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _machine(isa: str, rounds: int) -> list[str]:
    packages = ("bitspike", "torch", "snntorch", "spikingjelly", "jax", "numpy")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    options = f' BENCH="{" ".join(sys.argv[1:])}"' if sys.argv[1:] else ""
    return [
        f"* CPU: {_cpu()}, {os.cpu_count()} logical cores, {torch.get_num_threads()} threads",
        f"* instruction set: {isa}; {platform.system()}, Python {platform.python_version()}",
        f"* {versions}",
        f"* commit {_commit()}; {rounds} rounds; reproduce with `make bench{options}`",
    ]


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(
        command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
