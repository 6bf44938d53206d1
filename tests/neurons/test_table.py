"""docs/neurons.md lists every neuron, with its states, its resets and where it runs."""

import re
from pathlib import Path

import pytest

import bitspike as snn
from bitspike.neurons.base import FIRING
from helpers.cases import IN_TORCH

PAGE = (Path(__file__).parents[2] / "docs" / "neurons.md").read_text(encoding="utf-8")
BASES = {"SpikingNeuron", "LIF", "Neuron"}
PROGRAMS = {case.kind for case in IN_TORCH}
"""Those whose programs are tested."""


def neurons():
    """The public classes that fire; layers with states are those of docs/layers.md."""
    found = {
        name: kind
        for name, kind in vars(snn).items()
        if isinstance(kind, type)
        and issubclass(kind, FIRING)
        and kind.__module__.startswith("bitspike.neurons.")
    }
    return {name: kind for name, kind in found.items() if name not in BASES}


def rows():
    """Of each neuron its cells by the heading of their column."""
    found, heading = {}, []
    for line in PAGE.splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "neuron":
            heading = cells
        elif heading and cells[0].startswith("`"):
            assert len(cells) == len(heading), line
            assert cells[0] not in found, line
            found[cells[0].strip("`")] = dict(zip(heading, cells, strict=True))
    return found


def test_every_neuron_has_one_row():
    assert set(rows()) == set(neurons())


@pytest.mark.parametrize("name", rows())
def test_row(name):
    kind, row = neurons()[name], rows()[name]
    assert row["equation"] and row["also in"]
    assert row["runs"].split(";")[0] in ("native", "program", "torch")
    if "states" not in row:
        return
    assert tuple(re.findall(r"`(\w+)`", row["states"])) == tuple(kind.STATES)
    without_kernel = "program" if kind in PROGRAMS else "torch"
    assert row["runs"] == ("native" if kind.NAME else without_kernel)
    if name == "LI":
        return  # It never fires.
    assert row["resets"] == ", ".join(kind.RESETS) + ("; at once" if kind.IMMEDIATE else "")
