"""The maximum of rates."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.convert import RateMaxPool

POOLS = {
    "2": nn.MaxPool2d(2),
    "3, stride 2": nn.MaxPool2d(3, 2),
    "padded": nn.MaxPool2d(3, 2, padding=1),
    "dilated": nn.MaxPool2d(2, 1, dilation=2),
    "oblong": nn.MaxPool2d((1, 4)),
    "rounded up": nn.MaxPool2d(3, 2, ceil_mode=True),
}


def expected(pool, spikes):
    """The maxima of counts, of all steps."""
    counts = spikes.cumsum(0)
    return torch.stack([pool(step) for step in counts])


@pytest.mark.parametrize("pool", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("last", [False, True])
def test_at_each_step_counts_are_the_maxima_of_counts(pool, last):
    dense = (torch.rand(30, 3, 5, 8, 8) < torch.rand(5, 8, 8)).float()
    packed = snn.SpikeTensor.from_dense(dense)
    if last:
        channels_last = dense.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        packed = snn.unroll(snn.IF(threshold=0.5, reset_mechanism="none", init_hidden=True), dense)
        packed = snn.SpikeTensor.from_dense(channels_last.unflatten(0, (30, 3)))
    out = RateMaxPool(pool).run_sequence(packed)
    assert isinstance(out, snn.SpikeTensor)
    assert torch.equal(out.dense().cumsum(0), expected(pool, dense))


def test_a_sequence_in_parts_and_single_steps_are_the_same():
    spikes = (torch.rand(300, 2, 3, 4, 4) < 0.9).float()  # more than a byte counts
    whole, parts, steps = (RateMaxPool(nn.MaxPool2d(2)) for _ in range(3))
    packed = snn.SpikeTensor.from_dense(spikes)
    out = whole.run_sequence(packed).dense()
    assert torch.equal(out.cumsum(0), expected(whole.pool, spikes))
    assert torch.equal(out, torch.cat([parts.run_sequence(x).dense() for x in packed.split(90)]))
    assert torch.equal(out, torch.stack([steps(x) for x in spikes]))
    whole.reset_mem()
    assert torch.equal(whole.run_sequence(packed).dense(), out)


def test_gradients_go_to_whoever_leads():
    pool = RateMaxPool(nn.MaxPool1d(2))
    spikes = torch.tensor([[1.0, 0.0], [1.0, 1.0]]).view(2, 1, 1, 2).requires_grad_()
    out = pool.run_sequence(spikes)
    out.sum().backward()
    # The sum over time is the maximum of the counts, of the first neuron.
    assert spikes.grad.flatten().tolist() == [1, 0, 1, 0]


def test_no_steps_have_no_spikes():
    pool = RateMaxPool(nn.MaxPool2d(2))
    empty = snn.SpikeTensor.from_dense(torch.zeros(0, 2, 3, 4, 4))
    assert pool.run_sequence(empty).shape == (0, 2, 3, 2, 2)
