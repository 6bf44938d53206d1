"""A `SpikeTensor` asked for the memory of its numbers gives unpacked numbers, or raises."""

import numpy as np
import pytest
import torch
from torch.utils import dlpack

from bitspike import SpikeTensor
from bitspike.spikes.unpacked_view import UnpackedView
from helpers.alike import random, same

SHAPE = (5, 3, 70)


@pytest.fixture
def dense():
    return random(*SHAPE)


@pytest.fixture
def spikes(dense):
    return SpikeTensor.from_dense(dense)


READS = {
    "np.from_dlpack": lambda x: torch.tensor(np.from_dlpack(x)),
    "torch.from_dlpack": torch.from_dlpack,
    "a capsule": lambda x: torch.from_dlpack(x.__dlpack__()),
    "numpy()": lambda x: torch.from_numpy(x.numpy()),
    "numpy(force)": lambda x: torch.from_numpy(x.requires_grad_().numpy(force=True)),
    "np.asarray": lambda x: torch.tensor(np.asarray(x)),
    "tolist": lambda x: torch.tensor(x.tolist()),
    "torch.tensor": lambda x: x.clone().detach(),
    "torch.asarray": torch.asarray,
    "torch.Tensor": torch.Tensor,
    "set_ from": lambda x: torch.empty(0).set_(x),
    "reversed": lambda x: torch.stack(list(reversed(x))).flip(0),
}


@pytest.mark.parametrize("name", READS)
def test_reading_gives_the_numbers(name, spikes, dense):
    assert torch.equal(READS[name](spikes) + 0, dense)


def _data_of_another(x):
    other = torch.zeros(SHAPE)
    other.data = x
    return other + 0


REFUSED = {
    "to_dlpack": dlpack.to_dlpack,
    "data_ptr": lambda x: x.data_ptr(),
    "storage": lambda x: x.storage(),
    "set_ from a storage": lambda x: torch.empty(0).set_(x.untyped_storage(), 0, SHAPE).sum(),
    "data of another tensor": _data_of_another,
    "data": lambda x: setattr(x, "data", torch.ones(SHAPE)),
    "apply_": lambda x: x.apply_(lambda value: value + 1),
    "map_": lambda x: x.map_(torch.ones(SHAPE), lambda a, b: b),
    "resize_": lambda x: x.resize_(3),
    "set_": lambda x: x.set_(),
    "frombuffer": lambda x: torch.frombuffer(x, dtype=torch.float32),
    "memoryview": memoryview,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_the_memory_itself_raises(name, spikes, dense):
    with pytest.raises((RuntimeError, TypeError, ValueError, BufferError)):
        REFUSED[name](spikes)
    assert same(spikes, dense)


def test_dlpack_refuses_what_requires_a_gradient(spikes):
    assert spikes.__dlpack_device__() == torch.ones(1).__dlpack_device__()
    with pytest.raises(BufferError, match="require gradient"):
        torch.from_dlpack(spikes.requires_grad_())


def test_a_storage_tells_tensors_apart(spikes):
    storage = spikes.untyped_storage()
    assert storage._cdata == spikes.untyped_storage()._cdata and storage.nbytes() == 0
    assert storage._cdata != spikes.clone().untyped_storage()._cdata


def test_shared_memory_is_that_of_the_bits(spikes):
    assert not spikes.is_shared()
    assert spikes.share_memory_().is_shared()


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_number_is_a_number(value):
    for x in (
        SpikeTensor.from_dense(torch.tensor(value)),
        SpikeTensor.from_dense(torch.full((3,), value), features=0)[1],
        SpikeTensor.from_dense(torch.full((3, 2), value))[1, 0],
    ):
        assert (float(x), int(x), bool(x), complex(x)) == (value, value, bool(value), value)
        assert f"{x:.1f} {x}" == "{:.1f} {}".format(x, x) == f"{value:.1f} {value}"  # noqa: UP032
        assert x.item() == value
        with pytest.raises(TypeError, match="0-d tensor"):
            len(x)
    assert 0.5 not in SpikeTensor.from_dense(torch.tensor([value]))
    assert value in SpikeTensor.from_dense(torch.tensor([value]))


def test_only_a_number_takes_a_format(spikes):
    assert f"{spikes}" == repr(spikes)
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{spikes:.1f}"


def test_memory_of_unpacked_views_is_their_own(spikes, dense):
    view = spikes[..., 3]
    assert type(view) is UnpackedView
    assert torch.equal(torch.from_dlpack(view), dense[..., 3])
    assert torch.equal(torch.from_numpy(view.numpy()), dense[..., 3])
