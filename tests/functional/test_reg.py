"""Regularisers by hand: their values, their gradients, and that they count bits."""

import pytest
import torch
from recordings import loss_and_gradient

import bitspike as snn
import bitspike.functional as SF

# Counts of three neurons: [3, 1, 0] and [2, 2, 1], so 4 and 5 for the samples.
TRAIN = torch.tensor(
    [
        [[1.0, 0, 0], [1, 1, 0]],
        [[1, 1, 0], [0, 1, 1]],
        [[1, 0, 0], [1, 0, 0]],
        [[0, 0, 0], [0, 0, 0]],
    ]
)
# The penalty, and its derivatives with respect to the count of each neuron.
BY_HAND = {
    "l1_rate_sparsity": (SF.l1_rate_sparsity(0.5), 4.5, [[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]),
    "upper_population": (SF.upper_population(4, 2.0), 1.0, [[0, 0, 0], [1, 1, 1]]),
    "upper_population squared": (
        SF.upper_population(3, 2.0, power=2),
        5.0,
        [[2, 2, 2], [4, 4, 4]],
    ),
    "lower_population": (SF.lower_population(7, 2.0), 13.0, [[-6, -6, -6], [-4, -4, -4]]),
    "lower_population linear": (SF.lower_population(5, 2.0, power=1), 1.0, [[-1] * 3, [0] * 3]),
    "upper_neuron": (SF.upper_neuron(1, 6.0), 6.0, [[4, 0, 0], [2, 2, 0]]),
    "upper_neuron linear": (SF.upper_neuron(1, 6.0, power=1), 4.0, [[1, 0, 0], [1, 1, 0]]),
    "lower_neuron": (SF.lower_neuron(2, 6.0), 6.0, [[0, -2, -4], [0, 0, -2]]),
    "l2_rate": (SF.l2_rate(96.0), 19.0, [[6, 2, 0], [4, 4, 2]]),
}


@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
@pytest.mark.parametrize("case", BY_HAND)
def test_by_hand(case, packed):
    penalty, value, slopes = BY_HAND[case]
    assert penalty.__name__ == case.split()[0]
    x = snn.SpikeTensor.from_dense(TRAIN) if packed else TRAIN
    before = snn.unpacked_operations()
    got, gradient = loss_and_gradient(lambda spikes, _: penalty(spikes), x, None)
    assert snn.unpacked_operations() == before
    # The slope at a bound is torch's: that of the side beyond it.
    expected = torch.tensor(slopes, dtype=torch.float32).expand_as(TRAIN)
    assert got == value
    torch.testing.assert_close(gradient, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("case", BY_HAND)
def test_maps_are_neurons_too(case):
    penalty = BY_HAND[case][0]
    assert torch.equal(penalty(TRAIN.reshape(4, 2, 1, 3, 1)), penalty(TRAIN))
    assert torch.equal(penalty(TRAIN.bool()), penalty(TRAIN))
    assert penalty(TRAIN.double()).dtype == torch.float64


def test_counts_beyond_half_precision():
    # 300 spikes are no bfloat16.
    x = torch.ones(301, 1, 1, dtype=torch.bfloat16)
    assert SF.upper_neuron(300, 1.0)(x) == 1 == SF.l1_rate_sparsity(1 / 301)(x)


@pytest.mark.parametrize("kind", [SF.upper_population, SF.lower_population, SF.upper_neuron])
def test_powers(kind):
    with pytest.raises(ValueError, match="power must be 1 or 2, not 3"):
        kind(1.0, 1.0, power=3)


@pytest.mark.parametrize("shape", [(4,), (0, 2, 3), (4, 0, 3), (4, 2, 0)], ids=str)
def test_shapes(shape):
    with pytest.raises(ValueError, match=r"spk_out must be \[T, B, \*\]"):
        SF.l2_rate(1.0)(torch.zeros(shape))
