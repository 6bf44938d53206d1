"""The Victor–Purpura distance, against its recursion neuron by neuron."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitspike as snn
import bitspike.functional as SF
from helpers.recordings import spikes


def recursion(t, u, cost):
    table = [[float(i + j) for j in range(len(u) + 1)] for i in range(len(t) + 1)]
    for i, a in enumerate(t):
        for j, b in enumerate(u):
            table[i + 1][j + 1] = min(
                table[i][j + 1] + 1, table[i + 1][j] + 1, table[i][j] + cost * abs(a - b)
            )
    return table[-1][-1]


@given(
    steps=st.integers(1, 12),
    batch=st.integers(0, 3),
    neurons=st.integers(1, 5),
    densities=st.tuples(*(st.sampled_from([0.0, 0.1, 0.5, 1.0]),) * 2),
    cost=st.sampled_from([0.0, 0.125, 0.5, 1.5, 4.0]),
    seed=st.integers(0, 99),
)
def test_recursion(steps, batch, neurons, densities, cost, seed):
    shape = (steps, batch, neurons)
    x, y = (spikes(density, shape, seed + i) for i, density in enumerate(densities))
    packed = snn.SpikeTensor.from_dense(x), snn.SpikeTensor.from_dense(y)
    before = snn.unpacked_operations()
    got = SF.victor_purpura(*packed, cost)
    assert snn.unpacked_operations() == before
    assert got.shape == (batch, neurons) and torch.equal(got, SF.victor_purpura(x, y, cost))
    assert torch.equal(got, SF.victor_purpura(y, x, cost))
    for b in range(batch):
        for n in range(neurons):
            trains = (z[:, b, n].nonzero().flatten().tolist() for z in (x, y))
            assert got[b, n] == recursion(*trains, cost)


def test_extremes():
    x, y = spikes(seed=1), spikes(seed=2)
    assert torch.equal(SF.victor_purpura(x, y, 0.0), (x.sum(0) - y.sum(0)).abs().double())
    assert torch.equal(SF.victor_purpura(x, y, 2.0), (x != y).sum(0).double())
    assert torch.equal(SF.victor_purpura(3 * x, y, 2.0), SF.victor_purpura(x, y, 2.0))


def test_arguments_are_checked():
    with pytest.raises(ValueError, match="cost must not be negative, but is -1"):
        SF.victor_purpura(spikes(), spikes(), -1)
    with pytest.raises(ValueError, match=r"targets must be spikes \[T, B, C\] like spk_out"):
        SF.victor_purpura(spikes(), spikes()[1:], 1.0)
    with pytest.raises(ValueError, match=r"spk_out must be \[T, B, C\] with one step or more"):
        SF.victor_purpura(spikes()[:0], spikes()[:0], 1.0)
