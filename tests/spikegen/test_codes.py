"""Codes that snnTorch does not have."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike import DenseSpikes, SpikeTensor, spikegen

CODES = pytest.mark.parametrize(
    "code",
    [spikegen.phase, spikegen.burst, spikegen.time_to_first_spike, spikegen.rank_order],
    ids=lambda code: code.__name__,
)


@CODES
@pytest.mark.parametrize("shape", [(), (70,), (3, 70), (3, 2, 5, 7), (0, 70), (3, 0)], ids=str)
def test_packed_spikes_are_the_dense_ones(code, shape):
    data = torch.rand(shape)
    before = data.clone()
    dense, packed = code(data, 9), code(data, 9, packed=True)
    assert type(dense) is DenseSpikes and type(packed) is SpikeTensor
    assert dense.shape == (9, *shape)
    assert torch.equal(packed.dense(), dense)
    assert torch.equal(data, before)


@CODES
@pytest.mark.parametrize("dtype", [torch.int64, torch.float64, torch.float16], ids=str)
def test_dtypes(code, dtype):
    data = torch.tensor([[0, 1]]).to(dtype)
    spikes = code(data, 9)
    assert spikes.dtype == (torch.float32 if dtype == torch.int64 else dtype)
    assert torch.equal(spikes.float(), code(data.float(), 9))


@CODES
@pytest.mark.parametrize("steps", [0, -1])
def test_there_must_be_steps(code, steps):
    with pytest.raises(ValueError, match="num_steps must be positive"):
        code(torch.rand(3), steps)


# Direct current


def test_constant():
    data = torch.rand(3, 4)
    current = spikegen.constant(data, 5)
    assert current.shape == (5, 3, 4) and current.stride(0) == 0
    assert all(torch.equal(step, data) for step in current)
    with pytest.raises(ValueError, match="num_steps must be positive, but is 0"):
        spikegen.constant(data, 0)
    net = nn.Sequential(nn.Linear(4, 6), snn.Leaky(beta=0.9, init_hidden=True))
    assert snn.unroll(net, current).shape == (5, 3, 6)


# Population


def test_population_by_hand():
    # m = 4: centres at -0.25, 0.25, 0.75, 1.25, deviation 1/3.
    responses = spikegen.population(torch.tensor([0.25, 0.5]), 4)
    wanted = [
        [math.exp(-(((x - c) * 3) ** 2) / 2) for c in (-0.25, 0.25, 0.75, 1.25)]
        for x in (0.25, 0.5)
    ]
    assert torch.allclose(responses, torch.tensor(wanted))
    assert responses[0, 1] == 1


@given(low=st.floats(-5, 5), size=st.floats(0.5, 10), neurons=st.integers(3, 12))
def test_population_is_the_same_in_any_range(low, size, neurons):
    data = torch.rand(5, 3, dtype=torch.float64)
    scaled = spikegen.population(low + size * data, neurons, low, low + size)
    assert scaled.shape == (5, 3, neurons)
    assert torch.allclose(scaled, spikegen.population(data, neurons))
    assert scaled.min() >= 0 and scaled.max() <= 1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"num_neurons": 2}, "num_neurons must be at least 3, but is 2"),
        ({"low": 1}, "high must be above low, but high is 1 and low 1"),
        ({"width": 0}, "width must be positive, but is 0"),
    ],
)
def test_population_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        spikegen.population(torch.rand(3), **{"num_neurons": 5, **arguments})


# Phase


@pytest.mark.parametrize("period", [1, 3, 8, 24])
def test_phases_add_up_to_the_value(period):
    data = torch.rand(4, 50)
    data[0, :2] = torch.tensor([0.0, 1.0])
    spikes = spikegen.phase(data, 2 * period, period)
    assert torch.equal(spikes[:period], spikes[period:])
    weights = 2.0 ** -torch.arange(1, period + 1, dtype=torch.float64)
    value = (spikes[:period].double() * weights.view(-1, 1, 1)).sum(0)
    exact = (data.double() * 2**period).floor().clamp(max=2**period - 1) / 2**period
    assert torch.equal(value, exact)


@pytest.mark.parametrize("data", [[-0.1], [1.5], [math.nan]])
def test_phase_errors(data):
    with pytest.raises(ValueError, match="data must lie between 0 and 1"):
        spikegen.phase(torch.tensor(data), 8)
    for period in (0, 25):
        with pytest.raises(ValueError, match=f"period must be from 1 to 24, but is {period}"):
            spikegen.phase(torch.rand(1), 8, period)


# Bursts


def test_bursts_by_hand():
    # 5 spikes at most, 8 to 2 steps apart: ceil(5x) spikes, ceil(8 - 6x) apart if more than one.
    data = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0])
    spikes = spikegen.burst(data, 20, max_interval=8)
    assert [train.nonzero().flatten().tolist() for train in spikes.T] == [
        [],
        [0],
        [0],
        [0, 7],
        [0, 5, 10],
        [0, 4, 8, 12],
        [0, 2, 4, 6, 8],
    ]
    # What does not fit is dropped.
    assert torch.equal(spikegen.burst(data, 9, max_interval=8), spikes[:9])
    assert spikegen.burst(torch.ones(1), 4, max_spikes=1).flatten().tolist() == [1, 0, 0, 0]


@given(
    steps=st.integers(1, 60),
    most=st.integers(1, 7),
    shortest=st.integers(1, 5),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_all_of_a_burst_fits(steps, most, shortest, dtype):
    data = torch.linspace(0, 1, 23, dtype=dtype)
    if (steps - 1) // max(most - 1, 1) < shortest:
        with pytest.raises(ValueError, match=f"num_steps is {steps}, too few for {most} spikes"):
            spikegen.burst(data, steps, most, shortest)
        return
    spikes = spikegen.burst(data, steps, most, shortest)
    assert torch.equal(spikes.sum(0), (most * data).ceil())
    assert spikes[0].sum() == 22
    for train in spikes.T[(most * data).ceil() > 1]:
        intervals = train.nonzero().flatten().diff()
        assert len(intervals.unique()) == 1 and intervals[0] >= shortest


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"max_spikes": 0}, "max_spikes must be positive, but is 0"),
        ({"min_interval": 0}, "min_interval must be positive, but is 0"),
        ({"max_interval": 1}, "max_interval is 1, less than min_interval 2"),
        ({"data": torch.tensor([1.5])}, "data must lie between 0 and 1"),
        ({"data": torch.tensor([math.nan])}, "data must lie between 0 and 1"),
    ],
)
def test_burst_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        spikegen.burst(**{"data": torch.rand(3), "num_steps": 20, **arguments})


# Order


def test_first_spikes_are_at_the_first_threshold_below():
    data = torch.rand(200, dtype=torch.float64) * 1.2
    spikes = spikegen.time_to_first_spike(data, 15, tau=6, threshold=0.9)
    thresholds = 0.9 * torch.exp(-torch.arange(15, dtype=torch.float64) / 6)
    below = data >= thresholds.unsqueeze(1)
    first = below & (below.cumsum(0) == 1)
    assert torch.equal(spikes, first.double())
    assert 0 < spikes.sum() < 200


def test_unknown_numbers_never_fire():
    data = torch.tensor([math.nan, -1.0, 0.0, math.inf])
    assert spikegen.time_to_first_spike(data, 5).sum(0).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize("name", ["tau", "threshold"])
def test_first_spike_errors(name):
    with pytest.raises(ValueError, match=f"{name} must be positive, but is 0"):
        spikegen.time_to_first_spike(torch.rand(3), 5, **{name: 0})


def test_ranks_by_hand():
    data = torch.tensor([[0.2, 0.9, 0.2, 0.5], [4.0, 3.0, 2.0, 1.0]])
    assert spikegen.rank_order(data).argmax(0).tolist() == [[2, 0, 3, 1], [0, 1, 2, 3]]
    assert spikegen.rank_order(data, 2).sum(0).tolist() == [[0, 1, 0, 1], [1, 1, 0, 0]]


def test_ranks_are_those_of_a_sample():
    data = torch.randn(3, 2, 5)
    spikes = spikegen.rank_order(data)
    assert torch.equal(spikes.sum((2, 3)), torch.ones(10, 3))
    in_order = (spikes * data).sum((2, 3))
    assert torch.equal(in_order, data.flatten(1).sort(-1, descending=True).values.t())
    assert torch.equal(spikegen.rank_order(data.exp()), spikes)
    assert spikegen.rank_order(torch.rand(3, 0)).shape == (0, 3, 0)
