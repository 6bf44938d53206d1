"""The neuron that stands for a rectifier: its numbers of spikes."""

import pytest
import torch

import bitspike as snn
from bitspike.convert import RateIF

GRID = torch.arange(-40, 90) / 64
"""Currents whose sums are exact, and reach thresholds of 1 exactly."""


def textbook(currents, threshold=1.0, start=0.5):
    """Integrate, fire at or above the threshold, subtract it at once; in float64."""
    mem, spikes = torch.full(currents.shape[1:], start * threshold, dtype=torch.float64), []
    for current in currents.double():
        mem = mem + current
        fired = (mem >= threshold).double()
        mem = mem - threshold * fired
        spikes.append(fired)
    return torch.stack(spikes), mem


@pytest.mark.isa
@pytest.mark.parametrize("start", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("steps", [1, 4, 7, 64])
def test_a_constant_current_is_rounded_to_spikes(start, steps):
    neuron = RateIF(start=start, init_hidden=True)
    counts = snn.unroll(neuron, GRID.expand(steps, 1, -1)).sum(0)[0]
    assert torch.equal(counts, (GRID * steps + start).floor().clamp(0, steps))


def test_currents_that_sum_up_to_the_threshold_fire_at_it_whatever_rounding_does():
    currents = torch.tensor([0.1, 0.3, 0.7, 1 / 3])  # ten steps of which reach 1, 3, 7, and 3⅓
    counts = snn.unroll(RateIF(start=0.0, init_hidden=True), currents.expand(10, 1, -1)).sum(0)
    assert counts.tolist() == [[1, 3, 7, 3]]


@pytest.mark.isa
def test_spikes_are_those_of_a_neuron_that_fires_at_its_threshold_and_is_reset_at_once():
    torch.manual_seed(0)
    currents = torch.randint(-48, 160, (50, 3, 200)) / 64  # up to 2.5 thresholds in a step
    neuron = RateIF(init_hidden=True)
    spikes = snn.unroll(neuron, currents)
    expected, mem = textbook(currents)
    assert torch.equal(spikes.dense().double(), expected)
    assert torch.allclose(neuron.charge().double(), mem, atol=2e-5)


def test_what_it_fires_is_what_the_specification_of_equality_fires():
    torch.manual_seed(1)
    currents = torch.randint(-16, 40, (30, 2, 40)) / 32
    reference = snn.IF(fire_at="ge", multi_step=True)
    spikes, _ = reference(currents, torch.full((2, 40), 0.5))
    fast = RateIF(multi_step=True)
    assert fast.native_refusal(currents) is None
    assert torch.equal(fast(currents)[0].dense(), spikes)


@pytest.mark.parametrize("threshold", [1.0, 0.37, torch.tensor([0.5, 2.0, 3.0])])
def test_charge_is_conserved(threshold):
    torch.manual_seed(2)
    currents = torch.randn(100, 5, 3, dtype=torch.float64)
    neuron = RateIF(threshold=threshold, init_hidden=True).double()
    start = neuron.rest()[0]
    fired = snn.unroll(neuron, currents).sum(0) * neuron.threshold
    assert torch.allclose(fired, currents.sum(0) - neuron.charge() + start, atol=1e-12, rtol=0)


def test_a_rate_misses_the_mean_input_by_what_is_left_in_the_membrane():
    torch.manual_seed(3)
    currents = torch.rand(64, 4, 30)
    neuron = RateIF(init_hidden=True)
    rate = snn.unroll(neuron, currents).sum(0) / 64
    left = (neuron.charge() - neuron.rest()[0]).abs() / 64
    assert ((rate - currents.mean(0)).abs() <= left + 1e-5).all()


def test_sequences_stay_packed_and_continue_in_chunks():
    currents = torch.rand(20, 2, 70)
    whole, parts = RateIF(init_hidden=True), RateIF(init_hidden=True)
    spikes = snn.unroll(whole, currents)
    assert isinstance(spikes, snn.SpikeTensor)
    chunks = torch.cat([snn.unroll(parts, x) for x in currents.split(7)])
    assert torch.equal(spikes.dense(), chunks.dense())
    assert torch.equal(whole.mem, parts.mem)


@pytest.mark.parametrize("start", [-0.1, 1.5])
def test_a_start_is_a_share_of_the_threshold(start):
    with pytest.raises(ValueError, match="start must be a share of the threshold"):
        RateIF(start=start)
