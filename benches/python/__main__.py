"""Compares bitspike with its peers, and writes a table for each part to benches/record.

python benches/python                          the usual parts: about half an hour
python benches/python networks memory          these parts only
python benches/python layers --only T=25       only what has this in its name
python benches/python scaling --threads 1 2 4 8 16
"""

import argparse
import os
from pathlib import Path

import torch

import attention
import bits
import coding
import conv_layers
import conversion
import event_files
import integer
import layers
import loops
import machine
import memory
import networks
import neurons
import online
import plasticity
import record
import scaling
import spike_times
import step_programs
import streaming
import sweeps

PARTS = {
    "networks": networks.PART,
    "memory": memory.PART,
    "streaming": streaming.PART,
    "loops": loops.PART,
    "online": online.PART,
    "spike_times": spike_times.PART,
    "plasticity": plasticity.PART,
    "event_files": event_files.PART,
    "conversion": conversion.PART,
    "conv": conv_layers.PART,
    "layers": layers.PART,
    "sweeps": sweeps.PART,
    "scaling": scaling.PART,
    "neurons": neurons.PART,
    "coding": coding.PART,
    "integer": integer.PART,
    "attention": attention.PART,
    "bits": bits.PART,
    "programs": step_programs.PART,
}
# Measured when no part is named: what the others cost changes seldom.
SELDOM = ("neurons", "coding", "integer", "attention", "bits", "programs")
USUAL = tuple(name for name in PARTS if name not in SELDOM)
RECORD = Path(__file__).parents[1] / "record"


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(prog="benches/python", description="Compare with peers.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--only", default="", help="only rows whose name contains this")
    parser.add_argument("--rounds", type=int, default=5, help="timed calls of each library")
    cores = os.cpu_count() or 1
    parser.add_argument(
        "--threads",
        type=int,
        nargs="+",
        default=sorted({1, min(2, cores), cores}),
        help="numbers of threads that scaling is measured for",
    )
    parser.add_argument("--tiny", action="store_true", help="small sizes: to see that all runs")
    parser.add_argument("--out", type=Path, default=RECORD, help="folder of the record")
    args = parser.parse_args()
    unknown = set(args.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    return args


def main() -> None:
    """Measures row by row, prints as it goes, writes the record of a part when it is complete."""
    args = arguments()
    options = record.Options(args.only, args.rounds, tuple(args.threads), args.tiny)
    for name in args.parts or USUAL:
        part, rows = PARTS[name], []
        print(f"\n{part.title}: {' | '.join(record.columns(part))}", flush=True)
        torch.manual_seed(0)
        for row in part.measure(options):
            rows.append(row)
            print(" | ".join(record.cells(row, part)), flush=True)
        file = args.out / f"{name}-{machine.instruction_set()}.md"
        record.write(part, rows, file, args.rounds)
        print(file, flush=True)


if __name__ == "__main__":
    main()
