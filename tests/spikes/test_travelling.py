"""A `SpikeTensor` in files, copies and other processes; its gradients; writing to it."""

import copy
import gc
import io
import pickle

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from bitspike import SpikeTensor
from helpers.alike import random, same

# Travelling


def trips():
    yield "pickle", lambda x: pickle.loads(pickle.dumps(x))
    yield "copy", copy.copy
    yield "deepcopy", copy.deepcopy
    yield "torch.save", saved


def saved(x):
    file = io.BytesIO()
    torch.save(x, file)
    file.seek(0)
    return torch.load(file)


@pytest.mark.parametrize("trip", [pytest.param(f, id=name) for name, f in trips()])
@pytest.mark.parametrize("kind", ["plain", "bfloat16", "transposed", "leaf", "images", "empty"])
def test_copies_are_equal(trip, kind):
    spikes = {
        "plain": lambda: SpikeTensor.from_dense(random(3, 2, 70)),
        "bfloat16": lambda: SpikeTensor.from_dense(random(3, 2, 70).bfloat16()),
        "transposed": lambda: SpikeTensor.from_dense(random(3, 70)).t(),
        "leaf": lambda: SpikeTensor.from_dense(random(3, 2, 70)).requires_grad_(),
        "images": lambda: SpikeTensor.from_dense(random(3, 2, 5, 6)),
        "empty": lambda: SpikeTensor.from_dense(random(3, 0, 70)),
    }[kind]()
    arrived = trip(spikes)
    assert same(arrived, spikes.dense())
    assert arrived.features == spikes.features
    assert arrived.requires_grad == spikes.requires_grad


def test_a_file_holds_bits():
    spikes = SpikeTensor.from_dense(random(100, 8, 640))
    file = io.BytesIO()
    torch.save(spikes, file)
    assert spikes.words.nbytes <= file.tell() <= spikes.words.nbytes + 4096


def test_deepcopy_shares_nothing_but_what_the_original_shares():
    spikes = SpikeTensor.from_dense(random(3, 2, 70))
    first, second = copy.deepcopy([spikes, spikes])
    assert first is second
    assert first.words.data_ptr() != spikes.words.data_ptr()


def test_only_leaves_can_be_copied_deeply():
    leaf = SpikeTensor.from_dense(random(3, 2, 70)).requires_grad_()
    with pytest.raises(RuntimeError, match="leaves"):
        copy.deepcopy(leaf[0])


def test_shared_memory():
    dense = random(3, 2, 70)
    spikes = SpikeTensor.from_dense(dense)
    assert spikes.share_memory_() is spikes
    assert spikes.words.is_shared()
    assert same(spikes, dense)


class Trains(Dataset):
    """Spike trains, one for each index."""

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return SpikeTensor.from_dense(random(5, 70, seed=index)), index


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("context", ["fork", "spawn"])
def test_data_loader_workers_send_spikes(context):
    loader = DataLoader(Trains(), batch_size=3, num_workers=2, multiprocessing_context=context)
    batches = list(loader)
    assert len(batches) == 2
    for spikes, index in batches:
        assert same(spikes, torch.stack([random(5, 70, seed=int(i)) for i in index]))


def test_it_is_freed():
    shape = (3, 2, 173)  # of no other test
    spikes = SpikeTensor.from_dense(random(*shape)).requires_grad_()
    spikes.sum().backward()
    del spikes
    gc.collect()
    assert not any(type(x) is SpikeTensor and x.shape == shape for x in gc.get_objects())


# Gradients and writes


def test_gradients_are_dense():
    spikes = SpikeTensor.from_dense(random(3, 2, 70)).requires_grad_()
    weights = torch.randn(3, 2, 70)
    (spikes * weights).sum().backward()
    assert type(spikes.grad) is torch.Tensor
    assert torch.equal(spikes.grad, weights)
    spikes.sum(0).square().sum().backward()
    assert torch.equal(spikes.grad, weights + 2 * spikes.dense().sum(0))
    spikes.grad = None


def write_with(name, *args):
    return pytest.param(lambda x: getattr(x, name)(*args), id=name)


WRITES = [
    write_with("add_", 1),
    write_with("mul_", 2),
    write_with("sub_", 1),
    write_with("div_", 2),
    write_with("zero_"),
    write_with("fill_", 1),
    write_with("copy_", torch.zeros(3, 2, 70)),
    write_with("clamp_", 0, 1),
    write_with("bernoulli_"),
    write_with("normal_"),
    write_with("uniform_"),
    write_with("masked_fill_", torch.ones(3, 2, 70, dtype=torch.bool), 1),
    write_with("masked_scatter_", torch.ones(3, 2, 70, dtype=torch.bool), torch.ones(420)),
    write_with("index_fill_", 0, torch.tensor([0]), 1),
    write_with("index_add_", 0, torch.tensor([0]), torch.ones(1, 2, 70)),
    write_with("index_put_", (torch.tensor([0]),), torch.tensor(1.0)),
    write_with("scatter_", 0, torch.zeros(1, 2, 70, dtype=torch.int64), 1.0),
    write_with("transpose_", 0, 1),
    write_with("unsqueeze_", 0),
    write_with("squeeze_", 0),
    write_with("resize_", 2),
    write_with("set_", torch.zeros(3, 2, 70)),
    write_with("relu_"),
    write_with("__setitem__", 0, 1),
    write_with("__setitem__", (0, 1, 2), 1),
    write_with("__setitem__", (..., 0), 1),
    write_with("__setitem__", (slice(None), slice(None), slice(3)), 1),
    pytest.param(lambda x: torch.add(torch.ones(3, 2, 70), 1, out=x), id="add out"),
    pytest.param(lambda x: torch.mul(x, 2, out=x), id="mul out"),
    pytest.param(lambda x: torch.sum(x, 0, out=x[0]), id="sum out"),
    pytest.param(lambda x: torch.stack([torch.ones(2, 70)] * 3, out=x), id="stack out"),
    pytest.param(lambda x: torch.nn.init.constant_(x, 1.0), id="init"),
    pytest.param(lambda x: torch._foreach_add_([x], 1), id="foreach"),
    pytest.param(lambda x: torch.dropout_(x, 0.5, True), id="dropout"),
]


@pytest.mark.parametrize("write", WRITES)
def test_writes_are_refused_and_lost_nowhere(write):
    dense = random(3, 2, 70)
    spikes = SpikeTensor.from_dense(dense)
    words = spikes.words.clone()
    with pytest.raises(RuntimeError, match="cannot be written"):
        write(spikes)
    assert torch.equal(spikes.words, words)
    assert same(spikes, dense)


def test_spikes_can_be_written_into_dense_tensors():
    dense = random(3, 2, 70)
    spikes = SpikeTensor.from_dense(dense)
    target = torch.ones(3, 2, 70)
    assert torch.equal(target.clone().copy_(spikes), dense)
    assert torch.equal(target.clone().add_(spikes), 1 + dense)
    assert torch.equal(target.clone().mul_(spikes), dense)
    out = torch.empty(3, 2, 70)
    assert torch.add(spikes, spikes, out=out) is out
    assert torch.equal(out, 2 * dense)
    target[1] = spikes[2]
    assert torch.equal(target[1], dense[2])
    target[:, 0, :5] = spikes[:, 1, 5:10]
    assert torch.equal(target[:, 0, :5], dense[:, 1, 5:10])
    counter = torch.zeros(70).index_add_(0, torch.arange(70), spikes[0, 0])
    assert torch.equal(counter, dense[0, 0])
    assert torch.equal(torch.zeros(2, 70).addmm_(spikes[0], torch.eye(70)), dense[0])
