"""Delta modulation, against snnTorch and by hand."""

import pytest
import snntorch.spikegen
import torch

from bitspike import DenseSpikes, SpikeTensor, spikegen
from helpers.compare import same_bits


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("off_spike", [False, True])
@pytest.mark.parametrize("threshold", [0.1, 1, 0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", [(9,), (9, 40), (9, 3, 2, 5, 7), (1, 4)], ids=str)
def test_it_is_that_of_snntorch(padding, off_spike, threshold, dtype, shape):
    data = torch.randn(shape).to(dtype)
    arguments = {"threshold": threshold, "padding": padding, "off_spike": off_spike}
    ours = spikegen.delta(data, **arguments)
    assert same_bits(ours, snntorch.spikegen.delta(data, **arguments))
    assert type(ours) is (torch.Tensor if off_spike else DenseSpikes)


def test_by_hand():
    data = torch.tensor([1.0, 2.0, 0.0, 2.0, 2.75])
    assert spikegen.delta(data, 1).tolist() == [1, 1, 0, 1, 0]
    assert spikegen.delta(data, 1, padding=True).tolist() == [0, 1, 0, 1, 0]
    assert spikegen.delta(data, 1, off_spike=True).tolist() == [1, 1, -1, 1, 0]
    assert spikegen.delta(data, 1, True, True).tolist() == [0, 1, -1, 1, 0]


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("shape", [(9,), (9, 70), (9, 3, 70), (9, 3, 2, 5), (0, 3, 4)], ids=str)
def test_packed(padding, shape):
    data = torch.randn(shape)
    packed = spikegen.delta(data, padding=padding, packed=True)
    assert type(packed) is SpikeTensor
    assert torch.equal(packed.dense(), spikegen.delta(data, padding=padding))


def test_num_steps():
    data = torch.rand(10, 8, 1, 4, 4)
    assert torch.equal(spikegen.delta(data, num_steps=10), spikegen.delta(data))
    with pytest.raises(ValueError, match=r"num_steps is 9, but data \(10, 8, 1, 4, 4\) has 10"):
        spikegen.delta(data, num_steps=9)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.int64], ids=str)
def test_integers(dtype):
    data = torch.tensor([1, 0, 1]).to(dtype)
    spikes = spikegen.delta(data, off_spike=True)
    # An unsigned difference would be 255 where the data falls.
    assert spikes.dtype == torch.float32
    assert spikes.tolist() == [1, -1, 1]


def test_unknown_numbers_are_silent():
    data = torch.tensor([0.0, float("nan"), 1.0, float("inf"), float("inf")])
    assert spikegen.delta(data, off_spike=True).tolist() == [0, 0, 0, 1, 0]


def test_errors():
    with pytest.raises(ValueError, match="data must have an axis of time"):
        spikegen.delta(torch.tensor(1.0))
    with pytest.raises(ValueError, match="off_spike must not be given with packed"):
        spikegen.delta(torch.rand(3, 4), off_spike=True, packed=True)


def test_data_is_left_alone():
    data = torch.rand(5, 4)
    before = data.clone()
    spikegen.delta(data, padding=True)
    assert torch.equal(data, before)
