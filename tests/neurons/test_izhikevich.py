"""Izhikevich's neuron, and what the kinds of his paper (2003) do."""

import pytest
import torch

import bitspike as snn
from helpers.firing import constant, spike_times, trace

DT = 0.1


def test_trace_by_hand():
    spikes, states = trace(snn.Izhikevich(dt=0.5), [40.0] * 7, -14.0, -70.0)
    wanted = [
        [-14.0, -50.0],  # at rest 0.04·4900 - 350 + 140 + 14 = 0; and 40/2
        [-13.96, -28.0],  # -14 + 0.01·(-10 + 14), -50 + (100 - 250 + 140 + 14 + 40)/2
        [-13.8764, 14.66],
        [-13.708316, 152.54651],
        # -5.708316 + 0.01·(-13 + 5.708316), -65 + (169 - 325 + 140 + 5.708316 + 40)/2
        [-5.7812328, -50.145842],
        [-5.8237122, -32.327721],
        [-5.8301305, 0.6664631],
    ]
    for state, want in zip(states, wanted, strict=True):
        assert state == pytest.approx(want, rel=1e-5)
    assert spikes == [0, 0, 0, 1, 0, 0, 0]


def answer(kind: str, current: torch.Tensor) -> torch.Tensor:
    return spike_times(snn.Izhikevich.preset(kind, dt=DT, multi_step=True), current)[0]


def intervals(kind: str, current: float) -> torch.Tensor:
    return answer(kind, constant(500, DT, current)).diff()


def test_regular_spiking_adapts():
    gaps = intervals("RS", 10.0)
    assert gaps[1:].min() > 2 * gaps[0]
    assert (gaps[1:] - gaps[-1]).abs().max() < 0.5


def test_fast_spiking_does_not():
    fast, regular = intervals("FS", 10.0), intervals("RS", 10.0)
    assert len(fast) > 5 * len(regular)
    assert (fast[3:] - fast[-1]).abs().max() < 0.5 and fast[-1] < 2 * fast[0]


def test_intrinsically_bursting_starts_with_a_burst():
    gaps = intervals("IB", 10.0)
    assert (gaps[:2] < 5).all() and (gaps[2:] > 25).all()


def test_chattering_bursts_again_and_again():
    gaps = intervals("CH", 10.0)
    pauses = gaps[gaps > 30]
    assert len(pauses) > 5 and (pauses - pauses[0]).abs().max() < 1
    # All other spikes come at up to hundreds of Hz.
    assert (gaps[gaps <= 30] < 7).all() and gaps.min() < 3


def rheobase(kind: str) -> float:
    currents = torch.arange(0.1, 5, 0.1)
    neuron = snn.Izhikevich.preset(kind, dt=DT, multi_step=True)
    times = spike_times(neuron, constant(500, DT, *currents.tolist()))
    return next(float(i) for i, t in zip(currents, times, strict=True) if len(t))


def test_low_threshold_spiking():
    assert rheobase("LTS") < 1 < 2 < min(rheobase("RS"), rheobase("FS"))
    gaps = intervals("LTS", 10.0)
    assert gaps[-1] > 3 * gaps[0]


def test_thalamo_cortical_fires_when_hyperpolarisation_ends():
    current = torch.zeros(4000, 1)
    current[1000:2000] = -10.0
    rebound = answer("TC", current)
    assert len(rebound) >= 2 and (rebound > 200).all() and (rebound < 250).all()
    assert rebound[1] - rebound[0] < 15
    assert len(answer("RS", current)) == 0


def test_thalamo_cortical_fires_tonically_from_rest():
    gaps = answer("TC", constant(500, DT, 4.0)).diff()[20:]
    assert (gaps - gaps[-1]).abs().max() < 1


def test_resonator_prefers_its_frequency():
    """Around its rest, ``λ² + aλ + ab = 0``: a period of 41 ms."""
    counts = {}
    for period in (20, 30, 41, 60, 80):
        current = torch.zeros(3000, 1)
        for start in (50, 50 + period, 50 + 2 * period):
            current[round(start / DT) : round((start + 2) / DT)] = 1.1
        counts[period] = len(answer("RZ", current))
    assert counts == {20: 0, 30: 0, 41: 2, 60: 0, 80: 0}


@pytest.mark.parametrize("kind", snn.Izhikevich.PRESETS)
def test_nothing_happens_at_rest(kind):
    neuron = snn.Izhikevich.preset(kind, dt=DT, multi_step=True)
    spikes, u, v = neuron(torch.zeros(2000, 1))
    assert spikes.sum() == 0
    # The resonator's two fixed points are so close that rounding moves it.
    assert (v - v[0]).abs().max() < 0.05 and (u - u[0]).abs().max() < 0.05
