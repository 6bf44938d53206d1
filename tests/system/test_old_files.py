"""Files that the version of November 2026 (commit e9a4246) wrote, and what its modules returned."""

import gzip
import io
import pickle
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_leaves

import bitspike as snn
from helpers.compare import dense

FILES = Path(__file__).parent / "files"
SEQUENCES = (
    "StateLeaky",
    "LinearLeaky",
    "LeakyParallel",
    "AssociativeLeaky",
    "TEBN",
    "tdBN",
    "BNTT",
)


@pytest.fixture(scope="module")
def pickled():
    with gzip.open(FILES / "modules.pkl.gz") as file:
        return pickle.load(file)


def outputs(name, module):
    """As the older version was called."""
    torch.manual_seed(1)
    x = torch.rand(4, 2, 3) * 2
    if name == "SConv2dLSTM":
        x = torch.rand(4, 2, 1, 4, 4)
    if name in SEQUENCES:
        return module(x)
    return module(x[0], (None, None)) if name == "DeltaLeaky" else module(x[0])


def test_modules_compute_what_they_did(pickled):
    modules, results, *_ = pickled
    assert len(results) > 35
    for name, wanted in results.items():
        found = tree_leaves(outputs(name, modules[name]))
        # A sigmoid or an exponential of torch's may round otherwise on another CPU.
        for a, b in zip(found, wanted, strict=True):
            a = dense(a).detach()
            assert torch.allclose(a, b, rtol=1e-5, atol=1e-6), name


def test_other_objects(pickled):
    modules, _, surrogates, spikes, steps = pickled
    assert isinstance(spikes, snn.SpikeTensor) and spikes.shape == (4, 2, 3)
    assert isinstance(steps, snn.DenseSpikes)
    assert all(surrogates[name] == getattr(snn.surrogate, name)() for name in surrogates)
    targets = torch.tensor([0, 2])
    assert torch.equal(
        modules["ce_count"](spikes, targets), snn.functional.ce_count_loss()(spikes, targets)
    )


def test_files_of_weights():
    with gzip.open(FILES / "weights.pt.gz") as file:
        content = torch.load(io.BytesIO(file.read()), weights_only=True)
    assert isinstance(content["spikes"], snn.SpikeTensor)
    assert isinstance(content["dense"], snn.DenseSpikes)
    snn.RLeaky(0.5, linear_features=3).load_state_dict(content["states"]["RLeaky"])
    snn.StateLeaky(0.5, channels=3).load_state_dict(content["states"]["StateLeaky"])
    snn.SLSTM(3, 3).load_state_dict(content["states"]["SLSTM"])
