"""Regularisers by hand: their values, their gradients, and that they count bits."""

import math

import pytest
import torch

import bitspike as snn
import bitspike.functional as SF
from helpers.recordings import loss_and_gradient

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
    # At a bound the slope is zero.
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


def test_divergence_by_hand():
    # Rates are 3/4 and 1/4, and 1/2 and 1: with eps = 1/4 they are 5/8, 3/8, 1/2 and 3/4.
    train = torch.tensor([[[1.0, 0], [1, 1]], [[1, 0], [0, 1]], [[1, 1], [1, 1]], [[0, 0], [0, 1]]])
    penalty = SF.kl_rate(0.25, 2.0, eps=0.25)
    value, gradient = loss_and_gradient(lambda spikes, _: penalty(spikes), train, None)
    rates = [[5 / 8, 3 / 8], [1 / 2, 3 / 4]]
    each = [
        0.25 * math.log(0.25 / q) + 0.75 * math.log(0.75 / (1 - q)) for row in rates for q in row
    ]
    torch.testing.assert_close(value, torch.tensor(2.0 / 2 * sum(each)))
    # λ/B·(-ρ/q + (1-ρ)/(1-q))·(1-2ε)/T
    slopes = [[(-0.25 / q + 0.75 / (1 - q)) * 0.5 / 4 for q in row] for row in rates]
    torch.testing.assert_close(gradient, torch.tensor(slopes).expand_as(train))


@pytest.mark.parametrize("target", [0.0, 0.1, 1.0])
def test_divergence_of_silence_is_finite(target):
    penalty = SF.kl_rate(target, 1.0)
    before = snn.unpacked_operations()
    for x in (torch.zeros(5, 2, 3), torch.ones(5, 2, 3)):
        packed = snn.SpikeTensor.from_dense(x)
        value, gradient = loss_and_gradient(lambda spikes, _: penalty(spikes), packed, None)
        assert value.isfinite() and value >= 0 and gradient.isfinite().all()
        # Silent neurons are made to fire, and neurons that always fire to rest.
        assert ((gradient < 0) == (0.001 + 0.998 * x.mean() < target)).all()
    assert snn.unpacked_operations() == before
    for make in (lambda: SF.kl_rate(1.5, 1.0), lambda: SF.kl_rate(0.5, 1.0, eps=0.0)):
        with pytest.raises(ValueError, match="must be in"):
            make()


@pytest.mark.parametrize("kind", [SF.upper_population, SF.lower_population, SF.upper_neuron])
def test_powers(kind):
    with pytest.raises(ValueError, match="power must be 1 or 2, not 3"):
        kind(1.0, 1.0, power=3)


@pytest.mark.parametrize("shape", [(4,), (0, 2, 3), (4, 0, 3), (4, 2, 0)], ids=str)
def test_shapes(shape):
    with pytest.raises(ValueError, match=r"spk_out must be \[T, B, \*\]"):
        SF.l2_rate(1.0)(torch.zeros(shape))
