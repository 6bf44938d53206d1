"""Hodgkin and Huxley's neuron against what is known of the squid's axon."""

import pytest
import torch

import bitspike as snn
from bitspike.neurons.base.run import run_reference
from bitspike.neurons.hodgkin_huxley import rates
from helpers.compare import dense, error
from helpers.firing import constant, spike_times, trace

DT = 0.01


def test_trace_by_hand():
    # With C = 2, dt/C is 1/32 ms.
    neuron = snn.HodgkinHuxley(capacitance=2.0, dt=0.0625)
    spikes, states = trace(neuron, [400.0] * 4, 0.25, 0.5, 0.375, -20.0)
    wanted = [
        [0.35329322, 0.47468136, 0.3874283, -7.0396938],
        [0.48811007, 0.44684753, 0.40447656, 7.7204802],
        [0.63993856, 0.41936766, 0.42659219, 25.32619],
        [0.7861032, 0.39324768, 0.45431125, 43.435522],
    ]
    for state, want in zip(states, wanted, strict=True):
        assert state == pytest.approx(want, rel=1e-5)
    # It fires as it rises through 0, and only then.
    assert spikes == [0, 1, 0, 0]


def test_rates_by_hand():
    """At rest: α_m = 2.5/(e^2.5 - 1), β_m = 4, α_h = 0.07, …"""
    (am, bm), (ah, bh), (an, bn) = rates(torch.tensor(-65.0, dtype=torch.float64))
    assert am.item() == pytest.approx(2.5 / 11.182493960703473)
    assert an.item() == pytest.approx(0.1 / 1.718281828459045)
    assert [bm.item(), ah.item(), bn.item()] == pytest.approx([4, 0.07, 0.125])
    assert bh.item() == pytest.approx(1 / 21.085536923187668)


def test_singularities_are_removed():
    """``x/(1 - e^-x)`` is 1 + x/2 + … at 0, and smooth around it."""
    v = torch.tensor([-40.0, -55.0], dtype=torch.float64, requires_grad=True)
    (am, _), _, (an, _) = rates(v)
    assert am[0].item() == 1.0 and an[1].item() == pytest.approx(0.1)
    (slope,) = torch.autograd.grad(am[0] + an[1], v)
    assert slope.tolist() == pytest.approx([0.05, 0.005])
    around = torch.linspace(-48, -32, 1601, dtype=torch.float64, requires_grad=True)
    am = rates(around)[0][0]
    x = (around.detach() + 40) / 10
    exact = torch.where(x == 0, 1.0, x / -torch.expm1(-x))
    assert error(am, exact) < 1e-10
    (slope,) = torch.autograd.grad(am.sum(), around)
    assert (slope.diff().abs() < 5e-5).all()


@pytest.mark.parametrize("v", [-1e4, -40.0, -55.0, 1e4])
def test_native_and_reference_are_finite_everywhere(v):
    neuron = snn.HodgkinHuxley(learn_g_na=True, multi_step=True)
    initial = [torch.tensor([x], requires_grad=True) for x in (0.1, 0.5, 0.3, v)]
    x = torch.zeros(1, 1)
    for results in (neuron(x, *initial)[1:], run_reference(neuron, x, initial, True, True)[1]):
        gradients = torch.autograd.grad(sum(y.sum() for y in results), initial)
        assert all(y.isfinite().all() for y in (*results, *gradients))


def test_rest():
    neuron = snn.HodgkinHuxley(multi_step=True)
    states = neuron(torch.zeros(10_000, 1))[1:]
    for state, start in zip(states, neuron.REST, strict=True):
        assert (state - start).abs().max() < 0.01


def test_rates_of_firing():
    """Type II: silent up to 6.2 µA/cm², then at once at 50 to 60 Hz."""
    neuron = snn.HodgkinHuxley(dt=DT, multi_step=True)
    trains = spike_times(neuron, constant(500, DT, 2.0, 3.0, 6.0, 6.4, 8.0, 10.0, 20.0))
    nothing, single, below, *firing = trains
    assert len(nothing) == 0 and len(single) == 1 and len(below) < 4
    rates = [1000 / times.diff()[3:].mean().item() for times in firing]
    assert rates == pytest.approx([54, 62.5, 68.3, 86.5], rel=0.02)


def test_time_step():
    """The rate at 10 µA/cm² is that of a twentieth of the step, and 0.05 ms is stable."""
    rates = []
    for dt in (0.0025, 0.01, 0.05):
        (times,) = spike_times(snn.HodgkinHuxley(dt=dt, multi_step=True), constant(200, dt, 10.0))
        rates.append(1 / times.diff()[3:].mean().item())
    assert rates[1:] == pytest.approx([rates[0]] * 2, rel=0.01)
    states = snn.HodgkinHuxley(dt=0.05, multi_step=True)(constant(200, 0.05, 100.0))[1:]
    assert all(0 <= gate.min() and gate.max() <= 1 for gate in states[:3])
    assert -80 < states[3].min() and states[3].max() < 50


def test_shape_of_a_spike():
    """Up to about +40 mV, then below the rest to nearly the potential of potassium."""
    pulse = torch.zeros(3000, 1)
    pulse[500:600] = 20.0
    spikes, _, _, _, v = snn.HodgkinHuxley(dt=DT, multi_step=True)(pulse)
    v = v.squeeze()
    assert dense(spikes).sum() == 1
    assert 38 < v.max() < 42 and -77 < v.min() < -74
    assert v.argmin() > v.argmax()
    above = (v > 0).sum() * DT
    assert 0.5 < above < 1.5


def test_a_subthreshold_pulse_is_no_spike():
    pulse = torch.zeros(3000, 1)
    pulse[500:600] = 5.0
    v = snn.HodgkinHuxley(dt=DT, multi_step=True)(pulse)[-1]
    assert -67 < v.min() and v.max() < -55


def test_staying_above_threshold_is_no_second_spike():
    neuron = snn.HodgkinHuxley(threshold=-70.0, multi_step=True)
    spikes, *_ = neuron(torch.zeros(100, 1))
    assert spikes.sum() == 0
