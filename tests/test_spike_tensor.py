"""The tensor type: what it holds, what it refuses, and how it travels."""

import copy
import gc
import io
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, Dataset

from bitspike import SpikeTensor

DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.uint8, torch.bool]
SHAPES = [
    (3, 2, 0),
    (3, 2, 1),
    (3, 2, 63),
    (3, 2, 64),
    (3, 2, 65),
    (3, 2, 130),
    (130,),
    (3, 65),
    (2, 3, 5, 13),
    (2, 3, 2, 5, 13),
    (0, 2, 65),
    (3, 0, 65),
    (0, 0, 0),
    (0,),
    (),
]


def random(*shape, density=0.4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape or (1,), generator=generator) < density).float().view(shape)


def same(spikes, dense):
    """Whether spikes hold these values, in the dtype of ``dense``."""
    unpacked = spikes.dense()
    assert type(spikes) is SpikeTensor and type(unpacked) is torch.Tensor
    return (
        spikes.shape == dense.shape and spikes.dtype == dense.dtype and torch.equal(unpacked, dense)
    )


# Packing


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_packing_round_trip(shape, dtype):
    dense = random(*shape)
    spikes = SpikeTensor.from_dense(dense.to(dtype))
    half = dtype in (torch.bfloat16, torch.float16)
    assert same(spikes, dense.to(dtype if half else torch.float32))
    assert spikes.words.dtype == torch.int64
    assert spikes.words.shape[-1] == math.ceil(spikes.neurons / 64)
    assert spikes.density() == (dense.double().mean().item() if dense.numel() else 0)


@given(
    shape=st.lists(st.integers(0, 4), max_size=3),
    neurons=st.integers(0, 200),
    seed=st.integers(0, 2**32),
)
def test_packing_any_shape(shape, neurons, seed):
    dense = random(*shape, neurons, seed=seed)
    assert same(SpikeTensor.from_dense(dense, features=1), dense)


@pytest.mark.parametrize("layout", ["transposed", "expanded", "sliced", "offset"])
def test_packing_reads_any_strides(layout):
    dense = {
        "transposed": random(70, 5, 3).permute(2, 1, 0),
        "expanded": random(5, 70).expand(3, 5, 70),
        "sliced": random(3, 5, 140)[:, ::2, ::2],
        "offset": random(4, 5, 70)[1:, :, 3:],
    }[layout]
    assert same(SpikeTensor.from_dense(dense), dense)


@pytest.mark.parametrize("features", range(5))
def test_features_are_trailing_axes(features):
    dense = random(2, 3, 4, 5)
    spikes = SpikeTensor.from_dense(dense, features=features)
    assert same(spikes, dense)
    assert spikes.features == dense.shape[4 - features :]
    assert spikes.neurons == math.prod(spikes.features)
    assert spikes.rows == 4 - features


def test_features_by_default_follow_time_and_batch():
    assert SpikeTensor.from_dense(random(5)).features == (5,)
    assert SpikeTensor.from_dense(random(4, 5)).features == (5,)
    assert SpikeTensor.from_dense(random(3, 4, 5)).features == (5,)
    assert SpikeTensor.from_dense(random(2, 3, 4, 5)).features == (4, 5)


@pytest.mark.parametrize("features", [-1, 4])
def test_features_outside_the_axes_are_refused(features):
    with pytest.raises(ValueError, match=f"features is {features}, but dense has 3 axes"):
        SpikeTensor.from_dense(random(2, 3, 4), features=features)


@pytest.mark.parametrize("bad", [2.0, 0.5, -1.0, math.nan, math.inf, -math.inf, 6e-8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_values_other_than_zero_and_one_are_refused(bad, dtype):
    dense = random(3, 2, 70).to(dtype)
    dense[1, 1, 69] = dense[0, 0, 3] = bad
    with pytest.raises(ValueError, match="dense holds 2 values that are neither 0 nor 1"):
        SpikeTensor.from_dense(dense)


def test_negative_zero_is_zero():
    assert same(SpikeTensor.from_dense(torch.tensor([-0.0, 1.0])), torch.tensor([0.0, 1.0]))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8, torch.complex64], ids=str)
def test_dtypes_without_packed_form_are_refused(dtype):
    with pytest.raises(TypeError, match="no packed form"):
        SpikeTensor.from_dense(torch.ones(2, 3, dtype=dtype))


def test_packing_spikes_copies_them():
    dense = random(3, 2, 70)
    spikes = SpikeTensor.from_dense(dense)
    again = SpikeTensor.from_dense(spikes)
    assert same(again, dense)
    assert again.words.data_ptr() != spikes.words.data_ptr()


def test_packing_takes_leaves_of_autograd():
    spikes = SpikeTensor.from_dense(random(2, 3).requires_grad_())
    assert not spikes.requires_grad


# Construction


def test_neuron_n_is_bit_n_of_its_row():
    words = torch.tensor([[0b101, 0b1]])
    spikes = SpikeTensor(words, (66,))
    assert spikes.to_indices()[0].tolist() == [0, 2, 64]


def test_words_may_have_strides():
    words = torch.tensor([[1, 0, 2, 0], [4, 0, 8, 0]])[:, ::2]
    spikes = SpikeTensor(words, (128,))
    assert [row.tolist() for row in spikes.to_indices()] == [[0, 65], [2, 67]]


@pytest.mark.parametrize(
    "words, features",
    [
        (torch.zeros(2, 1, dtype=torch.int32), (5,)),
        (torch.zeros(2, 1), (5,)),
        (torch.zeros(2, 2, dtype=torch.int64), (5,)),
        (torch.zeros(2, 1, dtype=torch.int64), (65,)),
        (torch.zeros(2, 1, dtype=torch.int64), (8, 9)),
        (torch.zeros(2, 1, dtype=torch.int64), (0,)),
        (torch.zeros((), dtype=torch.int64), ()),
    ],
)
def test_words_that_do_not_fit_are_refused(words, features):
    with pytest.raises(ValueError, match="words must be int64"):
        SpikeTensor(words, features)


@pytest.mark.parametrize("dtype", [torch.float64, torch.int32, torch.bool], ids=str)
def test_logical_dtypes_are_those_of_currents(dtype):
    with pytest.raises(TypeError, match="dtype must be float32, bfloat16 or float16"):
        SpikeTensor(torch.zeros(2, 1, dtype=torch.int64), (5,), dtype)


# Events and indices


@given(
    shape=st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 130)),
    seed=st.integers(0, 2**32),
)
def test_events_round_trip(shape, seed):
    dense = random(*shape, density=0.2, seed=seed)
    spikes = SpikeTensor.from_dense(dense)
    events = spikes.to_events()
    assert torch.equal(torch.stack(events, 1), dense.nonzero())
    assert same(SpikeTensor.from_events(*events, shape), dense)
    order = torch.randperm(len(events[0]), generator=torch.Generator().manual_seed(seed))
    assert same(SpikeTensor.from_events(*(x[order] for x in events), shape), dense)


def test_events_may_repeat_and_come_in_any_integer_type():
    spikes = SpikeTensor.from_events(
        np.array([2, 0, 2], np.int16),
        [0, 0, 0],
        torch.tensor([9, 4, 9], dtype=torch.uint8),
        (3, 1, 10),
    )
    assert [x.tolist() for x in spikes.to_events()] == [[0, 2], [0, 0], [4, 9]]


def test_no_events():
    assert same(SpikeTensor.from_events([], [], [], (2, 1, 70)), torch.zeros(2, 1, 70))


@pytest.mark.parametrize(
    "events, name",
    [
        (([3], [0], [0]), "t"),
        (([-1], [0], [0]), "t"),
        (([0], [2], [0]), "b"),
        (([0], [0], [70]), "n"),
    ],
)
def test_events_outside_the_shape_are_refused(events, name):
    with pytest.raises(ValueError, match=f"{name} of an event is"):
        SpikeTensor.from_events(*events, (3, 2, 70))


@pytest.mark.parametrize(
    "events, name",
    [
        (([0, 1], [0], [0]), "b"),
        (([0], [0], [0, 1]), "n"),
        (([0.0], [0], [0]), "t"),
        (([0], [1j], [0]), "b"),
        (([0], [0], 0), "n"),
    ],
)
def test_events_are_integers_of_one_length(events, name):
    with pytest.raises(ValueError, match=f"{name} must hold one integer per event"):
        SpikeTensor.from_events(*events, (3, 2, 70))


@pytest.mark.parametrize("shape", [(1, 9), (1, 1, 1, 9), (1, -1, 9)])
def test_event_shapes_have_three_sizes(shape):
    with pytest.raises(ValueError, match="shape must be three sizes"):
        SpikeTensor.from_events([0], [0], [0], shape)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 3, 4, 5)])
def test_only_three_axes_have_events(shape):
    with pytest.raises(ValueError, match="events have three coordinates"):
        SpikeTensor.from_dense(random(*shape)).to_events()


def test_indices():
    train = SpikeTensor.from_dense(torch.tensor([0.0, 0, 0, 0, 1, 0, 0, 0, 0, 1]))
    assert [row.tolist() for row in train.to_indices()] == [[4, 9]]
    assert [row.tolist() for row in train.to_indices(one_based=True)] == [[5, 10]]


@pytest.mark.parametrize("shape", [(3, 2, 70), (70,), (0, 2, 70), (3, 2, 0), (2, 3, 5, 6)], ids=str)
def test_indices_of_each_row(shape):
    dense = random(*shape)
    spikes = SpikeTensor.from_dense(dense)
    rows = dense.reshape(math.prod(shape[: spikes.rows]), spikes.neurons)
    expected = [row.nonzero()[:, 0].tolist() for row in rows]
    assert [row.tolist() for row in spikes.to_indices()] == expected


# Looking at it


def test_repr_tells_shape_density_and_bytes():
    spikes = SpikeTensor.from_dense(torch.tensor([[0.0, 1.0, 1.0], [0.0, 0.0, 1.0]]))
    assert repr(spikes) == "SpikeTensor(shape=(2, 3), density=0.5, 16 bytes)"
    half = spikes.bfloat16()
    assert repr(half) == "SpikeTensor(shape=(2, 3), density=0.5, 16 bytes, torch.bfloat16)"
    leaf = spikes.detach().requires_grad_()
    assert str(leaf) == "SpikeTensor(shape=(2, 3), density=0.5, 16 bytes, requires_grad=True)"
    empty = SpikeTensor.from_dense(torch.zeros(0, 2, 3))
    assert f"{empty}" == "SpikeTensor(shape=(0, 2, 3), density=0, 0 bytes)"


def test_numpy_and_lists():
    dense = random(3, 2, 70)
    spikes = SpikeTensor.from_dense(dense)
    for array in (spikes.numpy(), np.asarray(spikes)):
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, dense.numpy())
    assert spikes.tolist() == dense.tolist()
    assert spikes[0].t().tolist() == dense[0].t().tolist()
    assert spikes[1, 1, 69].item() == dense[1, 1, 69].item()
    assert [row.tolist() for row in spikes] == dense.tolist()


def test_it_looks_like_a_float_tensor():
    spikes = SpikeTensor.from_dense(random(3, 2, 70))
    assert spikes.dtype == torch.float32 and spikes.is_floating_point()
    assert spikes.device.type == "cpu" and spikes.layout == torch.strided
    assert spikes.size() == (3, 2, 70) and spikes.dim() == 3 and len(spikes) == 3
    assert spikes.numel() == 420 and spikes.words.nbytes == 3 * 2 * 2 * 8
    assert isinstance(spikes, torch.Tensor) and spikes.is_contiguous()


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
    spikes = SpikeTensor.from_dense(random(3, 2, 70)).requires_grad_()
    spikes.sum().backward()
    del spikes
    gc.collect()
    assert not any(type(x) is SpikeTensor and x.shape == (3, 2, 70) for x in gc.get_objects())


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
    write_with("__iadd__", 1),
    write_with("__imul__", 2),
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
    pytest.param(lambda x: torch.nn.functional.dropout(x, 0.5, inplace=True), id="dropout"),
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
