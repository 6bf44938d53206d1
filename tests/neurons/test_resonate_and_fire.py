"""The resonate-and-fire neuron."""

import math

import pytest
import torch

import bitspike as snn
from helpers.firing import trace


def quarter_turn(**options):
    """``z`` turns by 90° and halves: the factor is ``0.5i``."""
    return snn.ResonateAndFire(b=-math.log(2), omega=math.pi / 2, **options)


@pytest.mark.parametrize(
    "reset, wanted",
    [
        # 3; 0.5i·3; 0.5i·1.5i - iθ; 0.5i·(-0.75 - i)
        ("subtract", [[3, 0], [0, 1.5], [-0.75, -1], [0.5, -0.375]]),
        # The imaginary part of 0.5i·1.5i is 0 in any case; then 0.5i·(-0.75)
        ("none", [[3, 0], [0, 1.5], [-0.75, 0], [0, -0.375]]),
    ],
)
def test_trace_by_hand(reset, wanted):
    spikes, states = trace(quarter_turn(reset_mechanism=reset), [3, 0, 0, 0], 0, 0)
    for state, want in zip(states, wanted, strict=True):
        assert state == pytest.approx(want, abs=1e-6)
    assert spikes == [0, 1, 0, 0]


def test_trace_by_hand_of_a_reset_to_zero():
    # 0.5i·(3 + 1.5i) = -0.75 + 1.5i, of which 1.5 is erased.
    spikes, states = trace(quarter_turn(reset_mechanism="zero"), [3, 3, 0], 0, 0)
    assert states[1] == pytest.approx([3, 1.5], abs=1e-6)
    assert states[2] == pytest.approx([-0.75, 0], abs=1e-6)
    assert spikes == [0, 1, 0]


def test_free_oscillation():
    """``z[t] = e^{(b + iω)t·dt}``."""
    neuron = snn.ResonateAndFire(b=-0.1, omega=2.0, dt=0.25, threshold=10.0, multi_step=True)
    _, re, im = neuron(torch.zeros(100, 1), torch.ones(1), torch.zeros(1))
    t = torch.arange(1, 101).double() * 0.25
    size = (-0.1 * t).exp()
    assert (re.squeeze() - size * (2 * t).cos()).abs().max() < 1e-5
    assert (im.squeeze() - size * (2 * t).sin()).abs().max() < 1e-5


def test_prefers_its_eigenfrequency():
    """Pulses at its period of 10 steps, or at twice that, add up; others cancel."""
    peaks = {}
    for period in (5, 8, 9, 10, 11, 12, 15, 20):
        x = torch.zeros(400, 1)
        x[::period] = 0.3
        neuron = snn.ResonateAndFire(b=-0.05, omega=2 * math.pi / 10, multi_step=True)
        peaks[period] = neuron(x)[2].max().item()
    assert max(peaks, key=peaks.get) == 10
    assert peaks[10] > 1.3 * peaks[9] and peaks[10] > 1.3 * peaks[11] and peaks[20] > peaks[15]


@pytest.mark.parametrize("period, count", [(10, 4), (5, 0), (15, 0)])
def test_fires_at_its_eigenfrequency(period, count):
    x = torch.zeros(45, 1)
    x[::period] = 0.45
    neuron = snn.ResonateAndFire(
        b=-0.05, omega=2 * math.pi / 10, threshold=0.5, reset_mechanism="none", multi_step=True
    )
    assert (neuron(x)[0].sum() > 0) == (count > 0)
