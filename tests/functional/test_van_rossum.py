"""The van Rossum distance, against closed forms and autograd."""

import math

import pytest
import torch

import bitspike as snn
import bitspike.functional as SF
from helpers.recordings import LABELS, membranes, spikes


def train(*steps, length=200):
    x = torch.zeros(length, 1, 1, dtype=torch.float64)
    for step in steps:
        x[step] += 1
    return x


def test_distance_of_trains_in_closed_form():
    tau = 6.0
    loss = SF.van_rossum_loss(tau)
    one = 1 / (tau * (1 - math.exp(-2 / tau)))
    assert loss(train(5), train(5)) == 0
    assert loss(train(5), train()).item() == pytest.approx(one, rel=1e-12)
    for late in (1, 4, 50):
        # The overlap of two exponentials.
        shifted = 2 * one * (1 - math.exp(-late / tau))
        assert loss(train(5), train(5 + late)).item() == pytest.approx(shifted, rel=1e-12)
    # With a long time constant it compares counts.
    slow = SF.van_rossum_loss(1e9)
    assert slow(train(0, 1, 2), train()).item() * 1e9 == pytest.approx(1 + 4 + 9 * 198, rel=1e-6)


def test_distance_is_that_of_each_neuron():
    x, y = spikes(seed=1), spikes(seed=2)
    filtered = torch.zeros(x.shape[1:])
    total = torch.zeros(x.shape[1:])
    for difference in x - y:
        filtered = math.exp(-1 / 3) * filtered + difference
        total += filtered**2 / 3
    for reduction, wanted in (("none", total), ("sum", total.sum()), ("mean", total.mean())):
        got = SF.van_rossum_loss(3.0, reduction)
        torch.testing.assert_close(got(x, y), wanted, rtol=1e-5, atol=1e-6)
        packed = snn.SpikeTensor.from_dense(x), snn.SpikeTensor.from_dense(y)
        assert torch.equal(got(*packed), got(x, y))
    with pytest.raises(ValueError, match=r"targets must be spikes \[T, B, C\] like spk_out"):
        SF.van_rossum_loss(3.0)(x, LABELS)


def test_dtypes_of_distances():
    x, loss = spikes(), SF.van_rossum_loss(3.0)
    assert loss(x.double(), x).dtype == torch.float64
    for dtype in (torch.bfloat16, torch.bool):
        assert torch.equal(loss(x.to(dtype), 1 - x), loss(x, 1 - x))


def test_gradients():
    x, wanted = membranes().double().requires_grad_(), membranes(1).double()
    assert torch.autograd.gradcheck(lambda x: SF.van_rossum_loss(2.5)(x, wanted), x)
    assert torch.autograd.gradgradcheck(lambda x: SF.van_rossum_loss(2.5)(x, wanted), x)
