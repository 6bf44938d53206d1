"""Compares bitspike with its peers, and writes the table to benches/record.

python benches/python --quick         a few small rows
python benches/python --cell T=25     only layers whose name contains this
python benches/python --neurons       every neuron instead, in neurons-<isa>.md
python benches/python --coding        rate coding and losses instead, in coding-<isa>.md
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import torch

import coding
import gate
import neurons
import recurrent
from bitspike.ops import _native
from jax_peer import jax_scan
from network import epoch_times
from peers import bitspike, dense_products, immediate_reset, snntorch_loop, spikingjelly
from problem import CELLS, DENSE, DENSITIES, Cell, Problem, Task, lif_problem, linear_problem
from report import Row, table, write
from timing import interleaved

RECORD = Path(__file__).parents[1] / "record"


def problems(cells: list[Cell], densities: tuple[float, ...]) -> Iterator[Problem]:
    """Every row of the table, made when its turn comes."""
    for cell in cells:
        yield lif_problem(cell)
        for density in densities:
            yield linear_problem(cell, Task.FIRST, density)
            if density < DENSE:
                yield linear_problem(cell, Task.HIDDEN, density)


def measure(problem: Problem, rounds: int) -> Row:
    """Compares the results of all libraries, then times them."""
    steps = {
        "bitspike": bitspike(problem),
        "snnTorch": snntorch_loop(problem),
        "SpikingJelly": spikingjelly(problem),
        "jax": jax_scan(problem),
    }
    ours = steps["bitspike"]()
    flips = {
        "snnTorch": gate.compare(ours, steps["snnTorch"](), exact=True),
        "SpikingJelly": gate.compare(
            immediate_reset(problem)(), steps["SpikingJelly"](), exact=False
        ),
        "jax": gate.compare(ours, steps["jax"](), exact=False),
    }
    if problem.task is not Task.LIF:
        steps["dense products"] = dense_products(problem)
    density_out = gate.dense(ours.spikes).mean().item()
    return Row.of(problem, density_out, interleaved(steps, rounds), flips)


def options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="benches/python", description="Compare with peers.")
    parser.add_argument("--quick", action="store_true", help="small layers, 3 %% input, 3 rounds")
    parser.add_argument("--neurons", action="store_true", help="every neuron, by itself")
    parser.add_argument("--coding", action="store_true", help="rate coding and losses")
    parser.add_argument(
        "--cell", default="", help="only layers or neurons whose name contains this"
    )
    parser.add_argument("--rounds", type=int, default=7, help="timed calls of each library")
    parser.add_argument("--out", type=Path, default=RECORD, help="folder of the record")
    return parser.parse_args()


def measure_neurons(only: str, rounds: int, out: Path, isa: str) -> None:
    """Measures every neuron, prints as it goes, writes the record at the end."""
    benches = (bench for bench in neurons.BENCHES if only in str(bench))
    cells = printed(neurons.measure(bench, rounds).cells() for bench in benches)
    file = out / f"neurons-{isa}.md"
    table("Neurons and their peers", neurons.COLUMNS, cells, neurons.NOTES, file, isa, rounds)
    print(f"\n{file}")


def measure_coding(rounds: int, out: Path, isa: str) -> None:
    """Measures rate coding and losses, prints as it goes, writes the record at the end."""
    cells = printed(row.cells() for row in coding.measure(rounds))
    file = out / f"coding-{isa}.md"
    table("Rate coding and losses", coding.COLUMNS, cells, coding.NOTES, file, isa, rounds)
    print(f"\n{file}")


def printed(rows: Iterator[list[str]]) -> list[list[str]]:
    """All rows, each printed when it is there."""
    cells = []
    for row in rows:
        cells.append(row)
        print(" | ".join(row), flush=True)
    return cells


def main() -> None:
    """Measures row by row, prints as it goes, writes the record at the end."""
    args = options()
    isa = _native.describe()["isa"]
    if args.neurons:
        return measure_neurons(args.cell, args.rounds, args.out, isa)
    if args.coding:
        return measure_coding(args.rounds, args.out, isa)
    torch.manual_seed(0)
    cells = [cell for cell in CELLS if args.cell in str(cell)]
    densities, rounds = (*DENSITIES, DENSE), args.rounds
    if args.quick:
        cells = [cell for cell in cells if cell.neurons < 2048]
        densities, rounds = (0.03,), 3
    rows = []
    for problem in problems(cells, densities):
        rows.append(measure(problem, rounds))
        print(" | ".join(rows[-1].cells()), flush=True)
    if args.cell in recurrent.LAYER:
        rows.append(recurrent.measure(rounds))
        print(" | ".join(rows[-1].cells()), flush=True)
    times = epoch_times(min(rounds, 5))
    rows.append(
        Row("784-512-10, T=25 B=128", "snnTorch's loop, import changed", None, None, times, {})
    )
    print(" | ".join(rows[-1].cells()))
    print(f"\n{write(rows, args.out, isa, rounds)}")


if __name__ == "__main__":
    main()
