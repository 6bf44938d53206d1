"""Latency coding, against snnTorch and by hand."""

import math
import warnings

import pytest
import snntorch.spikegen
import torch
from hypothesis import given
from hypothesis import strategies as st

from bitspike import DenseSpikes, SpikeTensor, spikegen
from helpers.compare import same_bits

SPREAD = {"normalize": True, "linear": True}

binary = pytest.mark.filterwarnings("ignore:.*fire at the same step")
"""What a warning of its own is tested for below."""


@binary
@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"tau": 3.0, "threshold": 0.2},
        {"clip": True, "threshold": 0.3},
        {"first_spike_time": 2},
        {"on_target": 1.25, "off_target": 0.25},
        {"on_target": 3, "clip": True},
        {"normalize": True},
        {"normalize": True, "first_spike_time": 3, "threshold": 0.25},
        {"linear": True, "tau": 7.3},
        {"linear": True, "tau": 7.3, "threshold": 0.4, "first_spike_time": 2, "clip": True},
        SPREAD,
        {**SPREAD, "first_spike_time": 4, "threshold": 0.1},
        {**SPREAD, "interpolate": True},
        {**SPREAD, "interpolate": True, "on_target": 1.25, "off_target": 0.25},
        {"interpolate": True, "tau": 5},
        {"epsilon": 1e-3},
        {"bypass": True, "tau": 20},
        {"bypass": True, "tau": 20, "clip": True, "interpolate": True},
        {"bypass": True, "num_steps": False, "tau": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(), (40,), (4, 90), (3, 2, 5, 7)], ids=str)
def test_it_is_that_of_snntorch(arguments, shape):
    data = torch.rand(shape)
    data.flatten()[:3] = torch.tensor([0.0, 0.01, 1.0])[: data.numel()]
    arguments = {"num_steps": 70, "bypass": False, **arguments}
    theirs = snntorch.spikegen.latency(data.clone(), **arguments)
    assert same_bits(spikegen.latency(data, **arguments), theirs)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"tau": 3.0, "threshold": 0.2, "first_spike_time": 2},
        {"normalize": True, "num_steps": 9},
        {"normalize": True, "num_steps": 9, "first_spike_time": 3, "epsilon": 1e-4},
        {"linear": True, "tau": 4.2, "first_spike_time": 1},
        {"linear": True, "normalize": True, "num_steps": 9, "first_spike_time": 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("scale", [1, 1.5], ids=["unit", "beyond"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64], ids=str)
def test_times_are_those_of_snntorch(arguments, scale, dtype):
    data = (torch.rand(5, 60, dtype=torch.float64) * scale).to(dtype)
    times, below = spikegen.latency_code(data, **arguments)
    their_times, their_below = snntorch.spikegen.latency_code(data, **arguments)
    assert same_bits(times, their_times)
    assert torch.equal(below, their_below)
    linear = arguments.get("linear", False)
    name = "latency_code_linear" if linear else "latency_code_log"
    rest = {key: value for key, value in arguments.items() if key != "linear"}
    assert same_bits(getattr(spikegen, name)(data, **rest), times)


@pytest.mark.parametrize("targets", [(1, 0), (1.25, 0.25), (0.3, 0.1), (2, -1), (0.5, 0.5)])
@pytest.mark.parametrize("zero", [False, True])
def test_ramps_are_those_of_snntorch(targets, zero):
    times = torch.rand(3, 50) * 17 + 1
    if zero:
        times[0, :5] = 0
    ours = spikegen.latency_interpolate(times, 12, *targets)
    theirs = snntorch.spikegen.latency_interpolate(times.clone(), 12, *targets)
    # By a rounding error there, some spikes exceed on_target, and vanish.
    vanished = theirs != ours
    steps = torch.arange(12).view(-1, 1, 1)
    assert (steps == times.round()).expand(12, 3, 50)[vanished].all()
    assert (ours[vanished] == torch.tensor(float(targets[0]))).all()
    assert vanished.float().mean() < 0.1
    assert targets != (1, 0) or not vanished.any()


def test_by_hand():
    # t = ln(x / (x - 0.5)): x = 1 gives ln 2 = 0.69, x = 0.6 gives ln 6 = 1.79, x = 0.55 gives 2.4.
    data = torch.tensor([1.0, 0.6, 0.55, 0.2])
    spikes = spikegen.latency(data, 4, threshold=0.5, clip=True, bypass=True)
    assert spikes.tolist() == [[0, 0, 0, 0], [1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0]]


def test_halves_are_rounded_to_even():
    data = torch.tensor([0.75, 0.5, 0.25])  # t = 1.5, 3, 4.5 of tau = 6
    spikes = spikegen.latency(data, 6, tau=6, linear=True)
    assert spikes.argmax(0).tolist() == [2, 3, 4]


def test_ramps_by_hand():
    ramps = spikegen.latency_interpolate(torch.tensor([0, 3]), 5)
    assert torch.equal(ramps[:, 0], torch.tensor([1.0, 0, 0, 0, 0]))
    assert torch.equal(ramps[:, 1], torch.tensor([0, 1 / 3, 2 / 3, 1, 0]))
    times = torch.tensor([3.2, 0.0])
    before = times.clone()
    spikegen.latency_interpolate(times, 5)
    assert torch.equal(times, before)


# Where it differs from snnTorch


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("interpolate", [False, True])
def test_dtypes_stay(dtype, interpolate):
    data = torch.tensor([0.02, 0.5, 1.0]).to(dtype)
    spikes = spikegen.latency(data, 5, interpolate=interpolate, **SPREAD)
    assert spikes.dtype == dtype
    wanted = snntorch.spikegen.latency(data.float(), 5, interpolate=interpolate, **SPREAD)
    assert torch.equal(spikes, wanted.to(dtype))
    times = spikegen.latency_interpolate(torch.tensor([3.0], dtype=torch.float64), 5)
    assert times[1].item() == 1 / 3


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_has_an_epsilon(dtype):
    data = torch.tensor([0.0, 0.5, 1.0]).to(dtype)
    times = spikegen.latency_code_log(data, threshold=0.5)
    assert times.isfinite().all()
    assert torch.equal(times, spikegen.latency_code_log(data.float(), threshold=0.5))


def test_integers():
    spikes = spikegen.latency(torch.tensor([0, 1]), 5, **SPREAD)
    assert spikes.dtype == torch.float32
    assert spikes.argmax(0).tolist() == [4, 0]


def test_targets_below_zero():
    spikes = spikegen.latency(torch.tensor([0.0, 1.0]), 3, off_target=-1, **SPREAD)
    assert spikes.tolist() == [[-1, 1], [-1, -1], [1, -1]]


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)], ids=str)
@pytest.mark.parametrize("arguments", [{}, {"packed": True}, {"interpolate": True}, SPREAD])
def test_no_data(shape, arguments):
    assert spikegen.latency(torch.zeros(shape), 5, **arguments).shape == (5, *shape)


def test_times_that_are_all_equal():
    assert spikegen.latency_code_log(torch.ones(2), 5, 1e-9, normalize=True).tolist() == [0, 0]
    beyond = torch.full((2,), 1.5)
    assert spikegen.latency_code_linear(beyond, 5, normalize=True).tolist() == [0, 0]


# Packed


@pytest.mark.parametrize("shape", [(), (70,), (3, 70), (3, 2, 5, 7)], ids=str)
@pytest.mark.parametrize("arguments", [{}, {"clip": True, "threshold": 0.4}])
def test_packed(shape, arguments):
    data = torch.rand(shape)
    dense = spikegen.latency(data, 6, **SPREAD, **arguments)
    packed = spikegen.latency(data, 6, **SPREAD, **arguments, packed=True)
    assert type(dense) is DenseSpikes and type(packed) is SpikeTensor
    assert torch.equal(packed.dense(), dense)


@given(
    shape=st.lists(st.integers(0, 4), max_size=2),
    neurons=st.integers(0, 130),
    steps=st.integers(1, 9),
)
def test_every_value_fires_once(shape, neurons, steps):
    data = torch.rand(*shape, neurons)
    spikes = spikegen.latency(data, steps, bypass=True, packed=True, **SPREAD)
    assert torch.equal(spikes.dense().sum(0), torch.ones(data.shape))


# Warnings and errors


@pytest.mark.parametrize("arguments", [{}, {"normalize": True}])
def test_a_nearly_binary_code_warns(arguments):
    data = torch.linspace(0, 1, 100)
    with pytest.warns(UserWarning, match="of the values above the threshold fire at the same step"):
        spikegen.latency(data, 20, **arguments)


@pytest.mark.parametrize(
    "data, arguments",
    [
        (torch.linspace(0, 1, 100), SPREAD),
        (torch.linspace(0, 1, 100), {"linear": True, "tau": 50}),
        (torch.linspace(0, 1, 100), {"tau": 20, "threshold": 0.3, "bypass": True}),
        (torch.eye(50), {}),
        (torch.zeros(50), {}),
    ],
)
def test_other_codes_do_not_warn(data, arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spikegen.latency(data, 100, **arguments)


@pytest.mark.parametrize(
    "data, arguments, message",
    [
        ([0.5, 1.5], {}, "data must lie between 0 and 1, but reaches from 0.5 to 1.5"),
        ([-0.5], {}, "data must lie between 0 and 1"),
        ([math.nan], {}, "data must lie between 0 and 1"),
        ([0.5], {"num_steps": False}, "num_steps must be positive, or bypass set"),
        ([0.5], {"num_steps": -1}, "num_steps must be positive"),
        ([0.5], {"num_steps": 0, "bypass": True, "normalize": True}, "num_steps must be positive"),
        ([0.5], {"threshold": 0}, "threshold must lie between 0 and 1, but is 0"),
        ([0.5], {"threshold": 1}, "threshold must lie between 0 and 1, but is 1"),
        ([0.5], {"threshold": math.nan}, "threshold must lie between"),
        ([0.5], {"tau": 0}, "tau must be positive, but is 0"),
        ([0.5], {"first_spike_time": -1}, "first_spike_time must not be negative"),
        ([0.5], {"first_spike_time": 5}, "first_spike_time is 5, but there are 5 steps"),
        ([0.0], {}, "num_steps is 5, but the last spike is at step 12"),
        ([0.0], {"epsilon": 0}, "epsilon is 0"),
        ([0.5], {"packed": True, "on_target": 2}, "packed spikes are 0 or 1"),
        ([0.5], {"packed": True, "off_target": 2}, "packed spikes are 0 or 1"),
        ([0.5], {"packed": True, "interpolate": True}, "packed spikes are 0 or 1"),
        ([0.5], {"interpolate": True, "on_target": -1}, "on_target is -1, less than off_target 0"),
    ],
)
def test_errors(data, arguments, message):
    with pytest.raises(ValueError, match=message):
        spikegen.latency(torch.tensor(data), **{"num_steps": 5, **arguments})


def test_a_ramp_cannot_start_before_time():
    with pytest.raises(ValueError, match="spike_time must not be negative, but reaches -2"):
        spikegen.latency_interpolate(torch.tensor([1.0, -2.0]), 5)
