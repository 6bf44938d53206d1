"""Rate coding."""

import math
from functools import partial

import pytest
import snntorch.spikegen
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitspike import DenseSpikes, SpikeTensor, spikegen

PACKED = pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])


def plain(x):
    return x.dense() if type(x) is SpikeTensor else x


@PACKED
@pytest.mark.parametrize("shape", [(), (70,), (3, 70), (3, 2, 5, 7), (0, 70), (3, 0)], ids=str)
def test_shapes(packed, shape):
    spikes = spikegen.rate(torch.rand(shape), 6, packed=packed)
    assert type(spikes) is (SpikeTensor if packed else DenseSpikes)
    assert spikes.shape == (6, *shape)
    assert spikes.dtype == torch.float32
    assert set(plain(spikes).unique().tolist()) <= {0.0, 1.0}


@PACKED
@pytest.mark.parametrize("shape", [(6,), (6, 70), (6, 3, 70), (6, 3, 2, 5), (0, 3, 70)], ids=str)
@pytest.mark.parametrize("first", [0, 4])
def test_shapes_with_time(packed, shape, first):
    data = torch.ones(shape)
    spikes = spikegen.rate(data, time_var_input=True, first_spike_time=first, packed=packed)
    assert torch.equal(plain(spikes), torch.cat([torch.zeros(first, *shape[1:]), data]))


@PACKED
def test_certain_values(packed):
    data = torch.tensor([[0.0, 1.0, -0.5, 1.5, -math.inf, math.inf]]).expand(2, 6)
    expected = torch.tensor([0.0, 1, 0, 1, 0, 1]).expand(50, 2, 6)
    assert torch.equal(plain(spikegen.rate(data, 50, packed=packed)), expected)


@PACKED
def test_probabilities(packed):
    p = torch.tensor([0.01, 0.1, 0.25, 0.5, 0.9, 0.99])
    trials = 50_000
    mean = spikegen.rate(p.expand(10, 6), trials // 10, packed=packed).mean((0, 1))
    # Four and a half standard deviations.
    assert ((mean - p).abs() < 4.5 * (p * (1 - p) / trials).sqrt()).all()


@pytest.mark.parametrize("arguments", [{}, {"gain": 0.5, "offset": 0.2}, {"gain": 3.0}])
def test_rates_are_those_of_snntorch(arguments):
    data = torch.rand(4, 30)
    ours = spikegen.rate(data, 4000, packed=True, **arguments).mean(0)
    theirs = snntorch.spikegen.rate(data, 4000, **arguments).mean(0)
    assert (ours - theirs).abs().max() < 5 * math.sqrt(2 * 0.25 / 4000)


@pytest.mark.parametrize("arguments", [{"num_steps": 7}, {"num_steps": 7, "first_spike_time": 3}])
def test_dense_spikes_are_those_of_snntorch(arguments):
    data = torch.rand(4, 30)
    torch.manual_seed(5)
    theirs = snntorch.spikegen.rate(data, **arguments)
    torch.manual_seed(5)
    assert torch.equal(spikegen.rate(data, **arguments), theirs)


@PACKED
def test_steps_and_neurons_are_independent(packed):
    x = plain(spikegen.rate(torch.full((64,), 0.5), 4000, packed=packed)) * 2 - 1
    correlation = x.t() @ x / len(x)
    off = correlation - torch.diag(torch.diag(correlation))
    assert off.abs().max() < 6 / math.sqrt(4000)
    assert (x[1:] * x[:-1]).mean(0).abs().max() < 5 / math.sqrt(4000)


@PACKED
def test_gain_and_offset(packed):
    data = torch.tensor([0.0, 0.5, 1.0])
    assert torch.equal(plain(spikegen.rate(data, 5, gain=2, packed=packed)[0, 1:]), torch.ones(2))
    assert spikegen.rate(data, 5, offset=1, packed=packed).mean() == 1
    assert spikegen.rate(data, 5, gain=-1, packed=packed).sum() == 0
    # With a time axis both are ignored, as in snnTorch.
    ones = torch.ones(5, 3)
    assert spikegen.rate(ones, gain=0, offset=-1, time_var_input=True, packed=packed).mean() == 1


@PACKED
def test_first_spike_time(packed):
    spikes = spikegen.rate(torch.ones(2, 70), 6, first_spike_time=4, packed=packed)
    assert spikes.sum((1, 2)).tolist() == [0, 0, 0, 0, 140, 140]


@PACKED
@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.int8], ids=str)
def test_integers(packed, dtype):
    data = torch.tensor([[0, 1, 1]]).to(dtype)
    spikes = spikegen.rate(data, 5, packed=packed)
    assert spikes.dtype == torch.float32
    assert torch.equal(plain(spikes), data.float().expand(5, 1, 3))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_floats(dtype):
    data = torch.tensor([[0, 1, 1]]).to(dtype)
    assert spikegen.rate(data, 5).dtype == dtype
    if dtype != torch.float64:
        assert torch.equal(spikegen.rate(data, 5, packed=True).dense(), data.expand(5, 1, 3))


@PACKED
@pytest.mark.parametrize("steps", [1, True])
def test_one_step(packed, steps):
    assert spikegen.rate(torch.ones(2, 3), steps, packed=packed).shape == (1, 2, 3)


@PACKED
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "num_steps must be positive"),
        ({"num_steps": 0}, "num_steps must be positive"),
        ({"num_steps": -3}, "num_steps must be positive"),
        ({"num_steps": 5, "first_spike_time": -1}, "first_spike_time must not be negative"),
        ({"num_steps": 5, "first_spike_time": 5}, "first_spike_time is 5, but there are 5 steps"),
        ({"num_steps": 5, "time_var_input": True}, "num_steps must not be given"),
        ({"time_var_input": True, "first_spike_time": -1}, "first_spike_time must not be negative"),
    ],
)
def test_errors(packed, arguments, message):
    with pytest.raises(ValueError, match=message):
        spikegen.rate(torch.rand(2, 3), packed=packed, **arguments)


@PACKED
def test_data_is_left_alone(packed):
    data = torch.rand(2, 70) * 3 - 1
    before = data.clone()
    spikegen.rate(data, 5, gain=2, offset=1, first_spike_time=2, packed=packed)
    assert torch.equal(data, before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_single_draws_are_those_of_snntorch(dtype):
    data = torch.rand(4, 30).to(dtype) * 3 - 1
    torch.manual_seed(5)
    theirs = snntorch.spikegen.rate_conv(data)
    torch.manual_seed(5)
    ours = spikegen.rate_conv(data)
    assert torch.equal(ours, theirs) and ours.dtype == dtype
    assert type(ours) is DenseSpikes
    assert torch.equal(ours, spikegen.rate_conv(data, generator=torch.Generator().manual_seed(5)))


@pytest.mark.parametrize("shape", [(5, 3, 70), (5, 70), (70,), (5, 0, 3)], ids=str)
def test_packed_single_draws(shape):
    data = torch.rand(shape) * 3 - 1
    draws = [
        draw(data, packed=True, generator=torch.Generator().manual_seed(5))
        for draw in (spikegen.rate_conv, partial(spikegen.rate, time_var_input=True))
    ]
    assert isinstance(draws[0], SpikeTensor) and draws[0].shape == shape
    assert torch.equal(*(x.dense() for x in draws))
    certain = (data <= 0) | (data >= 1)
    assert torch.equal(draws[0].dense()[certain], data.clamp(0, 1)[certain])


def test_single_draws_of_integers():
    spikes = spikegen.rate_conv(torch.tensor([-3, 0, 1, 7]))
    assert spikes.dtype == torch.float32
    assert spikes.tolist() == [0, 0, 1, 1]


# Seeds


@PACKED
def test_seeds(packed):
    data = torch.rand(3, 70)

    def draw(seed):
        torch.manual_seed(seed)
        return [plain(spikegen.rate(data, 20, packed=packed)) for _ in range(2)]

    first, second = draw(1)
    assert not torch.equal(first, second)
    for x, y in zip(draw(1), (first, second), strict=True):
        assert torch.equal(x, y)
    assert not torch.equal(draw(2)[0], first)


@PACKED
def test_generators(packed):
    data = torch.rand(3, 70)
    state = torch.get_rng_state()

    def draw(seed):
        return plain(
            spikegen.rate(data, 20, packed=packed, generator=torch.Generator().manual_seed(seed))
        )

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("batch", [1, 3, 64])
@pytest.mark.parametrize("timed", [False, True])
def test_packed_spikes_do_not_depend_on_threads(threads, batch, timed):
    data = torch.rand(40, batch, 500) if timed else torch.rand(batch, 500)
    draws = []
    for count in (1, 2, 4):
        threads(count)
        torch.manual_seed(3)
        draws.append(
            spikegen.rate(data, time_var_input=timed, num_steps=False if timed else 40, packed=True)
        )
    assert 0.4 < draws[0].density() < 0.6
    for other in draws[1:]:
        assert torch.equal(other.words, draws[0].words)


@given(
    shape=st.lists(st.integers(0, 4), max_size=2),
    neurons=st.integers(0, 130),
    steps=st.integers(1, 5),
    data=st.data(),
)
def test_silent_steps_are_the_only_difference(shape, neurons, steps, data):
    first = data.draw(st.integers(0, steps - 1))
    values = torch.rand(*shape, neurons)
    whole, part = (
        spikegen.rate(
            values,
            steps,
            first_spike_time=f,
            packed=True,
            generator=torch.Generator().manual_seed(1),
        ).dense()
        for f in (0, first)
    )
    assert part[:first].sum() == 0
    assert torch.equal(part[first:], whole[first:])
