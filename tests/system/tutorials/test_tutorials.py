"""Programs written for snnTorch run with nothing changed but their imports, and compute the same.

The programs in this folder cover the topics of snnTorch's tutorials. Each is run as it stands, and
once more with ``bitspike`` for ``snntorch`` in its import lines; then all numbers and tensors that
it leaves behind are compared, with what it prints and the files that it writes.
"""

import contextlib
import io
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import snntorch
import torch
from matplotlib.collections import PathCollection
from torch import Tensor, nn

import bitspike as snn
from helpers.compare import dense, error, same_bits

FOLDER = Path(__file__).parent
IN_ALL_BITS = ("spike_encoding", "neurons_by_hand")
TRAINING = ("feedforward", "convolutional", "recurrent_regression")
PROGRAMS = (*IN_ALL_BITS, *TRAINING)

NUMBER = re.compile(r"\d+\.\d+")

TRAINED_ALIKE = 0.02
"""Gradients are equal but for rounding, and products of packed spikes sum in another order than
torch's, so that mostly the last digits differ: 1e-6 of all. But where a membrane comes that close
to threshold a spike flips, and Adam carries it into the weights. With other seeds, the sums of
differences reach 0.002 of what is compared; a surrogate with a tenth less slope makes 0.2."""

AN_IMAGE = 1 / 32
"""What a flip may change in the accuracy on a batch."""

WITHOUT_GRAPH = {"epoch_loss"}
"""What keeps its graph in snnTorch alone: the loss that backprop reports (F72)."""


@dataclass(frozen=True)
class Outcome:
    """What a program left behind."""

    values: dict[str, object]
    printed: str
    files: set[str]


def run(program: str, library: str, folder: Path) -> Outcome:
    text = (FOLDER / f"{program}.py").read_text(encoding="utf-8")
    text, changed = re.subn(r"^(import|from) snntorch\b", rf"\1 {library}", text, flags=re.M)
    assert changed and (library == "snntorch" or "snntorch" not in text)
    folder.mkdir()
    names = {"__name__": "__main__"}
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(printed),
        matplotlib.rc_context(),
        warnings.catch_warnings(),
    ):
        patch.chdir(folder)
        if library == "snntorch":
            warnings.simplefilter("ignore")
        # Tensors of torch 2.15 make numpy 2.4 say so.
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        exec(compile(text, f"{program}.py", "exec"), names)
    values = dict(flat("", {name: x for name, x in names.items() if not name.startswith("_")}))
    return Outcome(values, printed.getvalue(), {file.name for file in folder.iterdir()})


def flat(path, value):
    """The tensors, numbers and texts of nested containers and modules, by their paths.

    A raster counts as the positions of its marks.
    """
    if isinstance(value, PathCollection):
        value = torch.from_numpy(np.array(value.get_offsets()))
    if isinstance(value, nn.Module):
        value = value.state_dict()
    if isinstance(value, (list, tuple)):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for name, item in value.items():
            yield from flat(f"{path}.{name}", item)
    elif isinstance(value, (Tensor, int, float, str)):
        yield path.removeprefix("."), value


@pytest.fixture(autouse=True)
def alone(monkeypatch, threads):
    """snnTorch resets every neuron that was ever made (F1); small tensors need no threads."""
    monkeypatch.setattr(snntorch.SpikingNeuron, "instances", [])
    threads(1)
    before = matplotlib.get_backend()
    plt.switch_backend("agg")
    yield
    plt.close("all")
    plt.switch_backend(before)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory):
    """What programs do with snnTorch, each run once."""
    outcomes = {}

    def outcome(program):
        if program not in outcomes:
            folder = tmp_path_factory.mktemp("snntorch") / program
            outcomes[program] = run(program, "snntorch", folder)
        return outcomes[program]

    return outcome


def distance(a, b):
    """The sum of all differences, relative to the sum of magnitudes."""
    a, b = (dense(torch.as_tensor(x)).detach().double() for x in (a, b))
    if a.shape != b.shape:
        return float("inf")
    return ((a - b).abs().sum() / b.abs().sum().clamp(min=1e-30)).item()


def assert_same_form(ours, theirs):
    """The same names, kinds and files, and the same texts between the numbers."""
    assert ours.values.keys() == theirs.values.keys()
    assert len(ours.values) > 20
    assert ours.files == theirs.files
    assert NUMBER.sub("#", ours.printed) == NUMBER.sub("#", theirs.printed)
    assert ours.printed
    for name, value in theirs.values.items():
        if isinstance(value, Tensor):
            assert ours.values[name].dtype == value.dtype, name
            graph = value.requires_grad and name not in WITHOUT_GRAPH
            assert ours.values[name].requires_grad == graph, name
        else:
            assert type(ours.values[name]) is type(value), name


def assert_same_bits(ours, theirs, name):
    mine, their = ours.values[name], theirs.values[name]
    if isinstance(their, Tensor):
        assert same_bits(mine, their), f"{name}: {error(dense(mine), their)}"
    else:
        assert mine == their, name


@pytest.mark.parametrize("program", IN_ALL_BITS)
def test_programs_in_all_bits(program, wanted, tmp_path):
    theirs, ours = wanted(program), run(program, "bitspike", tmp_path / program)
    assert_same_form(ours, theirs)
    assert ours.printed == theirs.printed
    for name, value in theirs.values.items():
        if name.startswith("gradients."):
            assert error(ours.values[name], value) < 1e-6, name
        else:
            assert_same_bits(ours, theirs, name)


@pytest.mark.parametrize("packs", [True, False], ids=["packed products", "torch's products"])
@pytest.mark.parametrize("program", TRAINING)
def test_programs_that_train(program, packs, wanted, tmp_path, monkeypatch):
    monkeypatch.setattr(snn.DenseSpikes, "packs", packs)
    theirs, ours = wanted(program), run(program, "bitspike", tmp_path / program)
    assert_same_form(ours, theirs)
    for name, value in theirs.values.items():
        if isinstance(value, str):
            assert ours.values[name] == value, name
        elif name.startswith("first") and not packs:
            # Nothing but neurons and losses has run, on equal currents.
            if isinstance(value, Tensor):
                assert_same_bits(ours, theirs, name)
            else:
                assert ours.values[name] == pytest.approx(value, rel=1e-6), name
        elif "acc" in name:
            assert abs(ours.values[name] - value) <= AN_IMAGE, name
        else:
            assert distance(ours.values[name], value) < TRAINED_ALIKE, name
    numbers = [list(map(float, NUMBER.findall(x.printed))) for x in (ours, theirs)]
    assert numbers[0] == pytest.approx(numbers[1], rel=TRAINED_ALIKE, abs=AN_IMAGE)


@pytest.mark.parametrize("program", TRAINING)
def test_they_learn(program, wanted):
    """What is compared is worth comparing: spikes, and a loss that falls."""
    histories = {}
    for name, value in wanted(program).values.items():
        before, _, step = name.rpartition(".")
        if "loss_hist" in before and step.isdigit():
            histories.setdefault(before, []).append(value)
    assert histories
    for name, losses in histories.items():
        assert len(losses) > 1 and losses[-1] < 0.97 * losses[0], name
    spikes = [x for name, x in wanted(program).values.items() if "spk" in name]
    assert spikes and all(0 < x.mean() < 1 for x in spikes)


def test_all_programs_are_run():
    others = {"digits", Path(__file__).stem}
    assert {file.stem for file in FOLDER.glob("*.py")} - others == set(PROGRAMS)
