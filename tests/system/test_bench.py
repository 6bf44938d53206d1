"""Every part of ``make bench`` runs, on sizes that say nothing about speed."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("jax", reason="no release of jax has this Python")

BENCH = Path(__file__).parents[2] / "benches" / "python"
PARTS = (
    "networks",
    "memory",
    "streaming",
    "loops",
    "online",
    "spike_times",
    "plasticity",
    "event_files",
    "conversion",
    "conv",
    "layers",
    "sweeps",
    "scaling",
    "neurons",
    "coding",
    "attention",
)


def run(*options):
    return subprocess.run(
        [sys.executable, str(BENCH), *options],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    options = ("--tiny", "--rounds", "2", "--threads", "1", "2", "--out", str(folder))
    done = run(*PARTS, *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("part", PARTS)
def test_a_part_writes_a_table_and_its_numbers(part, record):
    (table,), (numbers,) = record.glob(f"{part}-*.md"), record.glob(f"{part}-*.csv")
    with numbers.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    rows = {(line["subject"], line["task"], line["threads"], line["density_in"]) for line in lines}
    shown = [line for line in table.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    assert len(shown) == len(rows) + 2
    assert all(float(line["median"]) > 0 for line in lines)


def test_unknown_parts_are_named():
    done = run("network")
    assert done.returncode == 2
    assert "unknown part network" in done.stderr
