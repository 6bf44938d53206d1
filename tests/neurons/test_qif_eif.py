"""The quadratic and the exponential integrate-and-fire neuron."""

import pytest
import torch

import bitspike as snn
from bitspike.neurons.base.run import run_reference
from helpers.compare import dense
from helpers.firing import constant, spike_times, trace


def test_trace_of_qif_by_hand():
    neuron = snn.QIF(
        tau=4.0, a0=0.5, u_rest=0.0, u_c=2.0, u_reset=-1.0, resistance=2.0, dt=1.0, threshold=4.0
    )
    spikes, states = trace(neuron, [3.0] * 4, 0.0)
    assert states == [
        [1.5],  # 0 + (0 + 6)/4
        [2.90625],  # 1.5 + (0.5·1.5·(-0.5) + 6)/4
        [4.7354736328125],  # 2.90625 + (0.5·2.90625·0.90625 + 6)/4
        [0.875],  # -1 + (0.5·(-1)·(-3) + 6)/4
    ]
    assert spikes == [0, 0, 1, 0]


def test_trace_of_eif_by_hand():
    neuron = snn.EIF(
        tau=10.0, u_rest=-65.0, delta_t=4.0, v_t=-60.0, u_reset=-70.0, dt=1.0, threshold=-30.0
    )
    spikes, states = trace(neuron, [20.0] * 5, -50.0)
    # -50 + (-15 + 4·e^2.5 + 20)/10, …; -70 + (5 + 4·e^-2.5 + 20)/10 after the spike, …
    wanted = [-44.627002, -25.993542, -67.467166, -65.158602, -63.032595]
    assert [u for (u,) in states] == pytest.approx(wanted, rel=1e-6)
    assert spikes == [0, 1, 0, 0, 0]


def test_qif_fires_rarely_at_its_onset():
    """Type I, from ``a₀(u_c - u_rest)²/4 = 2.25`` on: the time from reset to threshold is known."""
    excess = torch.tensor([0.01, 0.04, 0.16, 1.0])
    silent, *firing = spike_times(
        snn.QIF(multi_step=True), constant(6000, 0.1, 2.2, *(2.25 + excess).tolist())
    )
    assert len(silent) == 0
    measured = torch.stack([times.diff().mean() for times in firing])
    # τ∫du/(a₀(u + 57.5)² + excess) from -70 to 30.
    k = (0.04 / excess).sqrt()
    wanted = 10 / (0.04 * excess).sqrt() * ((k * 87.5).atan() - (k * -12.5).atan())
    assert (measured / wanted - 1).abs().max() < 0.01
    assert measured[0] > 1.8 * measured[1] > 3 * measured[2]


def test_rheobase_of_eif():
    """``V_T - u_rest - Δ_T = 1.62``: where the two fixed points meet."""
    counts = [len(t) for t in spike_times(snn.EIF(multi_step=True), constant(2000, 0.1, 1.6, 1.65))]
    assert counts[0] == 0 and counts[1] > 2


@pytest.mark.parametrize("kind", [snn.QIF, snn.EIF])
def test_the_membrane_is_seen_above_threshold_for_one_step(kind):
    neuron = kind(multi_step=True)
    spikes, mem = neuron(constant(300, 0.1, 20.0))
    fired = dense(spikes).bool()
    assert fired.any() and fired.equal(mem > neuron.threshold)
    assert (mem.roll(-1, 0)[fired][:-1] < neuron.u_reset + 1).all()


@pytest.mark.parametrize("kind", [snn.EIF, snn.AdEx])
@pytest.mark.parametrize("reference", [False, True])
def test_a_membrane_far_above_does_not_overflow(kind, reference):
    neuron = kind(threshold=1e6, dt=0.1, learn_delta_t=True, multi_step=True)
    initial = [torch.tensor([1e3, 1e5], requires_grad=True) for _ in kind.STATES]
    x = torch.zeros(5, 2, requires_grad=True)
    if reference:
        spikes, states, _ = run_reference(neuron, x, initial, True, True)
    else:
        assert neuron.native_refusal(x) is None
        spikes, *states = neuron(x, *initial)
    # exp(10) is what is left of the exponential.
    rise = 0.1 / neuron.tau * neuron.delta_t * 22026.466
    leak = 0.1 / neuron.tau * (initial[-1] - neuron.u_rest)
    adaptation = 0.1 / neuron.tau * neuron.resistance * initial[0] if kind is snn.AdEx else 0
    wanted = initial[-1] + rise - leak - adaptation
    assert (states[-1][0] - wanted).abs().max() < 0.1
    sum(state.sum() for state in states).backward()
    for tensor in (x, *initial, neuron.delta_t):
        assert tensor.grad.isfinite().all() and tensor.grad.abs().sum() > 0


def test_above_the_cap_the_slope_is_the_leak():
    neuron = snn.EIF(threshold=1e6, dt=0.1, tau=10.0, multi_step=True)
    mem = torch.tensor([1e3], requires_grad=True)
    neuron(torch.zeros(1, 1), mem)[1].sum().backward()
    assert mem.grad.item() == pytest.approx(0.99)
