"""Packing spikes into a `SpikeTensor`, and what does not fit."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitspike import SpikeTensor
from helpers.alike import random, same

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
    with pytest.raises(TypeError, match="no packed form|dense must be"):
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
