"""One-hot rows, there and back."""

import pytest
import snntorch.spikegen
import torch

from bitspike import spikegen
from helpers.compare import same_bits


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.float32], ids=str)
def test_rows_are_those_of_snntorch(dtype):
    targets = torch.randint(7, (20,)).to(dtype)
    one_hot = spikegen.to_one_hot(targets, 7)
    assert same_bits(one_hot, snntorch.spikegen.to_one_hot(targets, 7))
    inverse = spikegen.to_one_hot_inverse(one_hot)
    assert same_bits(inverse, snntorch.spikegen.to_one_hot_inverse(one_hot))
    assert torch.equal(inverse, 1 - one_hot)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float64], ids=str)
def test_the_inverse_keeps_the_dtype(dtype):
    one_hot = torch.tensor([0, 1, 0]).to(dtype)
    inverse = spikegen.to_one_hot_inverse(one_hot)
    assert inverse.dtype == dtype
    assert inverse.tolist() == [1, 0, 1]


@pytest.mark.parametrize("shape", [(), (20,), (4, 5), (0,)], ids=str)
def test_there_and_back(shape):
    targets = torch.randint(7, shape)
    one_hot = spikegen.to_one_hot(targets, 7)
    assert one_hot.shape == (*shape, 7)
    classes = spikegen.from_one_hot(one_hot)
    assert classes.dtype == torch.int64
    assert torch.equal(classes, targets)
    assert torch.equal(spikegen.from_one_hot(one_hot.bool()), targets)


def test_classes_and_not_rows_come_back():
    one_hot = torch.eye(4)[[2, 0, 3]]
    assert spikegen.from_one_hot(one_hot).tolist() == [2, 0, 3]
    assert snntorch.spikegen.from_one_hot(one_hot).tolist() == [0, 1, 2]


@pytest.mark.parametrize("target", [4, -1, 1.5, float("nan")])
def test_targets_are_classes(target):
    with pytest.raises(ValueError, match="targets must be integers from 0 to num_classes - 1 = 3"):
        spikegen.to_one_hot(torch.tensor([0, target]), 4)


@pytest.mark.parametrize("row", [[0, 0, 0], [1, 1, 0], [0.5, 0.25, 0.25], [1, 0, -1]])
def test_rows_have_a_single_one(row):
    with pytest.raises(ValueError, match=r"each row of one_hot_label \(1, 3\) must hold a single"):
        spikegen.from_one_hot(torch.tensor([row]))
    with pytest.raises(ValueError, match="one_hot_label must have an axis of classes"):
        spikegen.from_one_hot(torch.tensor(1.0))
