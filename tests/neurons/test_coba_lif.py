"""The conductance-based neuron against closed forms and limits."""

import math

import pytest
import torch

import bitspike as snn
from helpers.compare import dense
from helpers.firing import trace

DOUBLE = torch.float64


def test_trace_by_hand():
    """All time constants so that a step halves: dt = ln 2, τ = 1."""
    half = dict(tau=1.0, tau_exc=1.0, tau_inh=1.0, dt=math.log(2))
    neuron = snn.CobaLIF(**half, u_rest=-64.0, e_exc=0.0, e_inh=-80.0, threshold=-40.0)
    _, states = trace(neuron.double(), [1.0, -1.0], 0, 0, -64.0)
    # g = (1, 0): G = 2, limit -32, and -64 + 32·(1 - 1/4) = -40, not above -40.
    # g = (1/2, 1): G = 5/2, limit (-64 - 80)/2.5 = -57.6, and -57.6 + 17.6·2^-2.5.
    assert [x for step in states for x in step] == pytest.approx(
        [1, 0, -40, 0.5, 1, -57.6 + 17.6 * 2**-2.5], rel=1e-6
    )


def test_constant_conductances_have_a_closed_form():
    """Conductances that hardly decay: U = U_∞ + (u_rest - U_∞)·exp(-G·t/τ)."""
    neuron = snn.CobaLIF(tau_exc=1e15, tau_inh=1e15, dt=0.5, threshold=1e9, multi_step=True)
    x = torch.zeros(200, 2, dtype=DOUBLE)
    x[0] = torch.tensor([0.5, -1.5])
    mem = neuron.double()(x)[-1]
    t = 0.5 * torch.arange(1, 201, dtype=DOUBLE).unsqueeze(1)
    g_exc, g_inh = torch.tensor([0.5, 0.0]), torch.tensor([0.0, 1.5])
    total = 1 + g_exc + g_inh
    limit = (-60.0 - 80.0 * g_inh) / total
    wanted = limit + (-60.0 - limit) * torch.exp(-total * t / 20.0)
    assert torch.allclose(mem, wanted, rtol=1e-9)


def test_far_reversal_potentials_make_it_current_based():
    """g·(E - U) is a current where E is far away, and g opens nothing where it is small."""
    far, dt, tau, tau_syn = 1e7, 0.5, 20.0, 5.0
    options = dict(threshold=-50.0, multi_step=True)
    neuron = snn.CobaLIF(
        tau, tau_syn, tau_syn, e_exc=far, e_inh=-far, dt=dt, u_reset=-65.0, **options
    ).double()
    current = torch.randn(400, 3, dtype=DOUBLE) * 8 + 5  # in mV
    spikes, *_, mem = neuron(current / far)
    syn, wanted = torch.zeros(3, dtype=DOUBLE), torch.full((3,), -60.0, dtype=DOUBLE)
    membranes, keep = [], math.exp(-dt / tau)
    for x in current:
        syn = math.exp(-dt / tau_syn) * syn + x
        wanted = torch.where(wanted > -50, -65.0, wanted)
        wanted = -60.0 + keep * (wanted + 60.0) + (1 - keep) * syn
        membranes.append(wanted)
    assert 0.01 < spikes.mean() < 0.5
    assert torch.allclose(mem, torch.stack(membranes), atol=1e-2)


@pytest.mark.parametrize("strength", [1.0, 1e6])
def test_the_membrane_stays_between_the_reversal_potentials(strength):
    neuron = snn.CobaLIF(dt=5.0, multi_step=True)
    mem = neuron(torch.randn(200, 8) * strength)[-1]
    assert mem.isfinite().all() and mem.min() >= -80.001 and mem.max() <= 0.001


def test_inhibition_at_rest_divides():
    """Shunting: a conductance whose reversal potential is the rest moves nothing by itself."""
    neuron = snn.CobaLIF(e_inh=-60.0, tau_inh=1e9, dt=1.0, threshold=1e9, multi_step=True)
    x = torch.zeros(60, 2)
    x[0, 1] = -9.0
    assert torch.allclose(neuron(x)[-1], torch.tensor(-60.0))
    x[30] += 0.1
    peaks = neuron(x)[-1].amax(0) + 60
    assert peaks[0] > 2 * peaks[1] > 0


def test_a_spike_resets_in_the_next_step():
    neuron = snn.CobaLIF(dt=1.0, u_reset=-70.0, multi_step=True)
    x = torch.full((60, 1), 0.2)
    spikes, _, _, mem = neuron(x)
    spikes = dense(spikes)
    after = mem[1:][spikes[:-1] == 1]
    assert spikes.sum() > 3 and (after < -55).all()


def test_gradients_of_all_that_is_learned():
    names = ("tau", "tau_exc", "tau_inh", "e_exc", "e_inh", "u_reset")
    neuron = snn.CobaLIF(dt=1.0, multi_step=True, **{f"learn_{name}": True for name in names})
    x = torch.randn(60, 4, 3, requires_grad=True)
    neuron(x)[-1].square().sum().backward()
    assert all(getattr(neuron, name).grad.abs() > 0 for name in names)
    assert (x.grad != 0).float().mean() > 0.9


def test_errors():
    with pytest.raises(ValueError, match="tau_exc must be positive"):
        snn.CobaLIF(tau_exc=0.0)
    with pytest.raises(ValueError, match="dt must be positive"):
        snn.CobaLIF(dt=-1.0)
