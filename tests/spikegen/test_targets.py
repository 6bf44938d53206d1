"""Targets for output neurons, against snnTorch and by hand."""

import inspect
import math

import pytest
import snntorch.spikegen
import torch

import bitspike
from bitspike import spikegen
from helpers.compare import same_bits

TARGETS = torch.tensor([0, 3, 1])
PATTERNS = ("regular", "uniform", "poisson")


# One neuron


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("rate", [1, 0.9, 0.5, 0.4, 0.3, 0.07, 0.01])
@pytest.mark.parametrize("first", [0, 3, 40])
def test_trains_are_those_of_snntorch(pattern, rate, first):
    torch.manual_seed(3)
    spikes, steps = spikegen.target_rate_code(40, first, rate, pattern)
    torch.manual_seed(3)
    their_spikes, their_steps = snntorch.spikegen.target_rate_code(40, first, rate, pattern)
    assert same_bits(spikes, their_spikes)
    assert torch.equal(steps, their_steps)


def test_a_regular_train_by_hand():
    spikes, steps = spikegen.target_rate_code(10, rate=0.4)
    assert steps.tolist() == [0, 2, 5, 7]
    assert spikes.nonzero().flatten().tolist() == [0, 2, 5, 7]
    assert spikegen.target_rate_code(10, 3, 0.4)[1].tolist() == [3, 5, 8]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_rate_zero_is_silent(pattern):
    spikes, steps = spikegen.target_rate_code(10, rate=0, firing_pattern=pattern)
    assert torch.equal(spikes, torch.zeros(10))
    assert steps.dtype == torch.int64 and steps.shape == (0,)


def test_no_regular_spike_lies_beyond_the_end():
    for rate in (torch.arange(1, 400) / 400).tolist():
        for steps in (7, 30, 100):
            spikes, times = spikegen.target_rate_code(steps, rate=rate)
            assert spikes.sum() == len(times) == times.unique().numel()
            assert abs(len(times) - steps * rate) <= 1


def test_a_poisson_train_has_its_rate():
    spikes, steps = spikegen.target_rate_code(20_000, 4000, 0.3, "Poisson")
    assert spikes[:4000].sum() == 0
    assert torch.equal(steps, spikes.nonzero().squeeze(-1))
    assert abs(spikes[4000:].mean() - 0.3) < 4.5 * math.sqrt(0.3 * 0.7 / 16_000)


def test_a_uniform_train_is_uniform():
    _, steps = spikegen.target_rate_code(100, 20, 1, "uniform")
    draws = torch.stack(
        [spikegen.target_rate_code(100, 20, 1, "uniform")[1] for _ in range(500)]
    ).flatten()
    counts = torch.bincount(draws, minlength=100).double()
    assert len(steps) == 80 and counts[:20].sum() == 0
    # Chi-squared with 79 degrees of freedom: mean 79, deviation 12.6.
    assert ((counts[20:] - 500) ** 2 / 500).sum() < 79 + 5 * 12.6


@pytest.mark.parametrize("pattern", ["uniform", "poisson"])
def test_generators(pattern):
    state = torch.get_rng_state()

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return spikegen.targets_convert(
            TARGETS, 4, num_steps=50, correct_rate=0.5, firing_pattern=pattern, generator=generator
        )

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))
    assert torch.equal(torch.get_rng_state(), state)


# Ramps to the spikes of one neuron


@pytest.mark.parametrize("targets", [(1, 0), (1.25, 0.25), (0.5, -1)])
@pytest.mark.parametrize("steps", [[], [0], [5], [1, 4], [0, 1, 9], [3, 17, 39], [39], [4, 2, 2]])
def test_ramps_are_those_of_snntorch(targets, steps):
    times = torch.tensor(steps)
    ours = spikegen.rate_interpolate(times, 40, *targets)
    theirs = snntorch.spikegen.rate_interpolate(times, 40, *targets)
    assert same_bits(ours, theirs)


def test_ramps_by_hand():
    ramps = spikegen.rate_interpolate(torch.tensor([1.0, 4.0]), 7)
    assert ramps.tolist() == [0, 1, 0, 0.5, 1, 0, 0]
    # Spikes beyond the end are not seen.
    assert spikegen.rate_interpolate(torch.tensor([1, 9]), 4).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("targets", [(1e10, 0), (1e-9, 0), (1, 1 - 1e-6)])
def test_ramps_keep_their_length(targets):
    ramps = spikegen.rate_interpolate(torch.tensor([20, 41]), 42, *targets)
    assert ramps.shape == (42,)
    assert torch.allclose(ramps[[20, 41]], torch.tensor(float(targets[0])))
    assert (ramps[[0, 21]] == targets[1]).all()


@pytest.mark.parametrize("times", [[-1], [0.5], [math.nan]])
def test_ramps_end_on_steps(times):
    with pytest.raises(ValueError, match="spike_time must hold steps"):
        spikegen.rate_interpolate(torch.tensor(times), 5)
    with pytest.raises(ValueError, match="on_target is 0, not greater than off_target 0"):
        spikegen.rate_interpolate(torch.tensor([1]), 5, 0, 0)


# Rates


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"on_target": 0.75, "off_target": 0.25},
        {"on_target": -1, "off_target": 0.5},
        {"num_steps": 9},
        {"num_steps": 9, "first_spike_time": 2},
        {"num_steps": 9, "first_spike_time": 2, "on_target": 2, "off_target": 0.5},
    ],
    ids=str,
)
def test_rates_1_and_0_are_those_of_snntorch(arguments):
    theirs = snntorch.spikegen.targets_rate(TARGETS, 4, **arguments)
    assert torch.equal(spikegen.targets_rate(TARGETS, 4, **arguments), theirs)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("steps", [4, 20])
@pytest.mark.parametrize("rates", [(1, 0.5), (0.8, 0), (0.6, 0.2), (0.5, 0.5), (0, 0)])
def test_other_rates(pattern, steps, rates):
    """snnTorch raises, or returns five axes if there are as many steps as classes."""
    torch.manual_seed(1)
    spikes = spikegen.targets_rate(
        TARGETS, 4, steps, 1, *rates, on_target=2, off_target=-0.5, firing_pattern=pattern
    )
    torch.manual_seed(1)
    right, wrong = (spikegen.target_rate_code(steps, 1, rate, pattern)[0] for rate in rates)
    assert spikes.shape == (steps, 3, 4)
    for sample, target in enumerate(TARGETS.tolist()):
        for neuron in range(4):
            train = right if neuron == target else wrong
            assert torch.equal(spikes[:, sample, neuron], train * 2.5 - 0.5)


def test_rates_by_hand():
    spikes = spikegen.targets_rate(torch.tensor([1]), 2, 5, correct_rate=0.5, incorrect_rate=0.25)
    assert spikes[:, 0, 1].tolist() == [1, 0, 1, 0, 1]
    assert spikes[:, 0, 0].tolist() == [1, 0, 0, 0, 1]
    ramps = spikegen.targets_rate(
        torch.tensor([1]), 2, 5, 0, 0.5, 0.25, on_target=1.5, off_target=0.5, interpolate=True
    )
    assert ramps[:, 0, 1].tolist() == [1.5, 0.5, 1.5, 0.5, 1.5]
    assert torch.allclose(ramps[:, 0, 0], torch.tensor([1.5, 0.5, 5 / 6, 7 / 6, 1.5]))


@pytest.mark.parametrize("first", [0, 2])
def test_values_below_zero(first):
    """snnTorch returns 0 in their place."""
    spikes = spikegen.targets_rate(
        TARGETS, 4, 5, first_spike_time=first, on_target=1, off_target=-1
    )
    one_hot = spikegen.to_one_hot(TARGETS, 4)
    assert torch.equal(spikes if not first else spikes[first], 2 * one_hot - 1)
    assert not first or (spikes[:first] == -1).all()


# Latencies


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_steps": 13},
        {"num_steps": 13, "clip": True},
        {"num_steps": 13, "normalize": True, "on_target": 1.25, "off_target": 0.25},
        {"num_steps": 13, "normalize": True, "interpolate": True},
        {"num_steps": 13, "normalize": True, "linear": True, "first_spike_time": 3},
        {"bypass": True, "tau": 2, "threshold": 0.1, "epsilon": 1e-3},
    ],
    ids=str,
)
def test_latencies_are_those_of_snntorch(arguments):
    ours = spikegen.targets_latency(TARGETS, 4, **arguments)
    assert same_bits(ours, snntorch.spikegen.targets_latency(TARGETS, 4, **arguments))


# By name


def test_convert_passes_everything_on():
    """snnTorch drops the targets, the interpolation and the epsilon of latencies."""
    common = {"num_steps": 6, "first_spike_time": 1, "on_target": 2, "off_target": 0.5}
    rates = {**common, "correct_rate": 0.6, "incorrect_rate": 0.4, "interpolate": True}
    assert torch.equal(
        spikegen.targets_convert(TARGETS, 4, **rates), spikegen.targets_rate(TARGETS, 4, **rates)
    )
    for given in (
        {"normalize": True, "interpolate": True},
        {"normalize": True, "linear": True, "clip": True},
        {"bypass": True, "tau": 3, "threshold": 0.3, "epsilon": 0.5},
    ):
        assert torch.equal(
            spikegen.targets_convert(TARGETS, 4, "latency", **common, **given),
            spikegen.targets_latency(TARGETS, 4, **common, **given),
        )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"correct_rate": 1.5}, "correct_rate 1.5"),
        ({"incorrect_rate": -0.5}, "incorrect_rate is -0.5"),
        ({"correct_rate": 0.2, "incorrect_rate": 0.4}, "incorrect_rate <= correct_rate"),
        ({"correct_rate": 0.5}, "num_steps must be positive for targets that change in time"),
        ({"first_spike_time": 2}, "num_steps must be positive for targets that change in time"),
        ({"num_steps": 5, "first_spike_time": 6}, "first_spike_time must lie between 0 and num_s"),
        ({"num_steps": 5, "first_spike_time": -1}, "first_spike_time must lie between 0"),
        ({"firing_pattern": "bursts"}, "firing_pattern must be .* not 'bursts'"),
        ({"code": "phase"}, "code must be one of 'rate', 'latency', not 'phase'"),
        ({"code": "latency"}, "num_steps must be positive"),
        ({"num_classes": 3}, "targets must be integers from 0 to num_classes - 1 = 2"),
    ],
    ids=str,
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        spikegen.targets_convert(TARGETS, **{"num_classes": 4, **arguments})


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"rate": 1.5}, "rate must lie between 0 and 1, but is 1.5"),
        ({"first_spike_time": 11}, "first_spike_time must lie between 0 and num_steps = 10"),
        ({"firing_pattern": ""}, "firing_pattern must be"),
    ],
)
def test_errors_of_one_neuron(arguments, message):
    with pytest.raises(ValueError, match=message):
        spikegen.target_rate_code(10, **arguments)


NAMES = (
    "rate rate_conv latency latency_code latency_code_linear latency_code_log latency_interpolate "
    "delta rate_interpolate target_rate_code targets_convert targets_latency targets_rate "
    "to_one_hot to_one_hot_inverse from_one_hot"
).split()


@pytest.mark.parametrize("name", NAMES)
def test_signatures_are_those_of_snntorch(name):
    def positional(function):
        parameters = inspect.signature(function).parameters.values()
        return [(p.name, p.default) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]

    ours, theirs = (positional(getattr(m.spikegen, name)) for m in (bitspike, snntorch))
    assert ours[: len(theirs)] == theirs
    assert [p[0] for p in ours[len(theirs) :]] == (["num_steps"] if name == "delta" else [])
