"""The adaptive exponential integrate-and-fire neuron, and what Naud et al. (2008) saw it do."""

import pytest
import torch

import bitspike as snn
from helpers.firing import constant, spike_times, trace

DT = 0.1


def test_trace_by_hand():
    neuron = snn.AdEx(
        tau=10.0,
        u_rest=-65.0,
        delta_t=4.0,
        v_t=-60.0,
        u_reset=-70.0,
        resistance=0.1,
        tau_w=50.0,
        a=2.0,
        b=30.0,
        dt=1.0,
        threshold=-30.0,
    )
    spikes, states = trace(neuron, [200.0] * 5, 10.0, -50.0)
    wanted = [
        [10.4, -44.727002],  # 10 + (2·15 - 10)/50, -50 + (-15 + 4·e^2.5 + 0.1·(200 - 10))/10
        [11.00292, -26.648525],
        # 41.00292 + (2·(-5) - 41.00292)/50, -70 + (5 + 4·e^-2.5 + 0.1·(200 - 41.00292))/10
        [39.982862, -67.877195],
        [39.068116, -65.933482],
        [38.249415, -64.140067],
    ]
    for state, want in zip(states, wanted, strict=True):
        assert state == pytest.approx(want, rel=1e-6)
    assert spikes == [0, 1, 0, 0, 0]


def intervals(name: str, current: float, duration: float = 1000.0) -> torch.Tensor:
    neuron = snn.AdEx.preset(name, dt=DT, multi_step=True)
    (times,) = spike_times(neuron, constant(duration, DT, current))
    return times.diff()


def test_tonic():
    gaps = intervals("tonic", 500.0)
    assert len(gaps) > 80 and gaps.max() < 1.1 * gaps.min()


def test_adapting():
    gaps = intervals("adapting", 500.0)
    assert (gaps[:6].diff() > 0).all()
    assert gaps[-1] > 5 * gaps[0] and gaps[-1] - gaps[-2] < 1


def test_initial_burst():
    gaps = intervals("initial_burst", 400.0)
    assert (gaps[:2] < 10).all() and (gaps[2:] > 50).all()


def test_regular_bursting():
    """From the third spike on, pairs: a short interval, a long one."""
    gaps = intervals("bursting", 210.0)[3:]
    assert len(gaps) > 10
    assert (gaps[0::2] < 10).all() and (gaps[1::2] > 100).all()


def test_delayed_accelerating():
    (times,) = spike_times(
        snn.AdEx.preset("delayed_accelerating", dt=DT, multi_step=True), constant(500, DT, 300.0)
    )
    assert times[0] > 1.5 * times.diff()[0]
    assert (times.diff().diff() < 0.11).all() and times.diff()[-1] < 0.7 * times.diff()[0]


def test_delayed_regular_bursting():
    (times,) = spike_times(
        snn.AdEx.preset("delayed_bursting", dt=DT, multi_step=True), constant(1000, DT, 110.0)
    )
    gaps = times.diff()
    assert times[0] > 50
    long = (gaps > 40).nonzero().squeeze()
    # Bursts of four spikes.
    assert (long.diff() == 4).all() and len(long) > 10


def test_transient():
    assert len(intervals("transient", 180.0)) == 0


def test_irregular():
    """Deterministic, but no interval returns."""
    gaps = intervals("irregular", 160.0, 3000.0)[20:]
    assert gaps.std() > 0.3 * gaps.mean()
    for period in range(1, 12):
        assert (gaps[period:] - gaps[:-period]).abs().max() > 5


@pytest.mark.parametrize("name", ["adapting", "initial_burst", "bursting"])
def test_the_time_step_is_small_enough(name):
    current = {"adapting": 500.0, "initial_burst": 400.0, "bursting": 210.0}[name]
    trains = [
        spike_times(snn.AdEx.preset(name, dt=dt, multi_step=True), constant(400, dt, current))[0]
        for dt in (DT, DT / 5)
    ]
    assert len(trains[0]) == len(trains[1])
    assert (trains[0].diff() - trains[1].diff()).abs().max() < 0.02 * trains[1].diff().max()


def test_brette_and_gerstner_2005():
    """The defaults: a regular spiking neuron that adapts, with a rheobase of about 0.6 nA."""
    below, above = spike_times(snn.AdEx(multi_step=True), constant(500, DT, 500.0, 800.0))
    assert len(below) == 0
    assert above.diff()[-1] > 1.5 * above.diff()[0]


def test_unknown_presets_are_refused():
    with pytest.raises(ValueError, match="preset must be one of 'tonic', 'adapting'.*'RS'"):
        snn.AdEx.preset("RS")
