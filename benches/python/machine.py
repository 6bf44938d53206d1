"""What a record was measured on."""

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import torch

from bitspike.ops import _native

PACKAGES = ("bitspike", "torch", "snntorch", "spikingjelly", "jax", "numpy")
# What holds a library to fewer instructions than the machine has.
FORCED = (
    "BITSPIKE_ISA",
    "ATEN_CPU_CAPABILITY",
    "MKL_ENABLE_INSTRUCTIONS",
    "ONEDNN_MAX_CPU_ISA",
    "XLA_FLAGS",
)


def instruction_set() -> str:
    """The one that bitspike uses, by which records are named."""
    return str(_native.describe()["isa"])


def description(rounds: int) -> list[str]:
    """CPU, instruction set, versions, and how to repeat a record, as lines of a list."""
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    chosen = re.sub(r"--out \S+", "", " ".join(sys.argv[1:])).strip()
    options = f' BENCH="{chosen}"' if chosen else ""
    settings = [f"{name}={os.environ[name]}" for name in FORCED if name in os.environ]
    best = _native.describe()["isas"][-1]
    forced = f", forced on a CPU that has {best} ({' '.join(settings)})" if settings else ""
    target = "bench-avx2" if settings else "bench"
    return [
        f"* CPU: {_cpu()}, {os.cpu_count()} logical cores, {torch.get_num_threads()} threads",
        f"* instruction set: {instruction_set()}{forced}",
        f"* {platform.system()}, Python {platform.python_version()}, {versions}",
        f"* commit {_commit()}; {rounds} rounds; reproduce with `make {target}{options}`",
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
