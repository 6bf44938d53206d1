"""The adaptive leaky integrate-and-fire neuron."""

import pytest
import torch

import bitspike as snn
from bitspike.neurons.base.run import run_reference
from helpers.compare import dense
from helpers.firing import trace


def test_trace_by_hand():
    neuron = snn.ALIF(beta=0.5, rho=0.5, beta_a=0.5)
    spikes, states = trace(neuron, [1.5] * 5, 0, 0)
    assert states == [
        [0.0, 1.5],
        [1.0, 1.25],  # 0.75 + 1.5 - 1; the level is 1.25 - 0.5
        [0.5, 2.125],  # 0.625 + 1.5; 2.125 - 0.25
        [1.25, 1.5625],  # 0.25 + 1, 1.0625 + 1.5 - 1; 1.5625 - 0.625
        [0.625, 2.28125],  # 0.78125 + 1.5; 2.28125 - 0.3125
    ]
    assert spikes == [1, 0, 1, 0, 1]


def test_trace_by_hand_of_a_reset_to_zero():
    neuron = snn.ALIF(beta=0.5, rho=0.5, beta_a=0.5, reset_mechanism="zero")
    spikes, states = trace(neuron, [1.5] * 3, 0, 0)
    assert states == [[0.0, 1.5], [1.0, 0.0], [0.5, 1.5]]
    assert spikes == [1, 0, 1]


def intervals(beta_a):
    neuron = snn.ALIF(beta=0.9, rho=0.98, beta_a=beta_a, multi_step=True)
    return dense(neuron(torch.full((400, 1), 0.3))[0]).squeeze().nonzero().squeeze().diff()


def test_adaptation_lengthens_intervals():
    without, adapted = intervals(0.0), intervals(0.3)
    assert without.float().mean() == pytest.approx(4.35, abs=0.1)
    assert (adapted.diff() >= 0).all()
    assert adapted[0] < 7 and adapted[-1] == 10


@pytest.mark.parametrize("rho, remembers", [(0.998, True), (0.9, False)])
def test_the_threshold_remembers_hundreds_of_steps(rho, remembers):
    """Two bursts of input, 300 steps apart: the second meets a higher threshold, or the same."""
    current = torch.zeros(400, 1)
    current[:30] = current[330:360] = 0.5
    neuron = snn.ALIF(beta=0.9, rho=rho, beta_a=0.2, multi_step=True)
    spikes = dense(neuron(current)[0]).squeeze()
    first, second = spikes[:300].sum(), spikes[300:].sum()
    assert second < first if remembers else second == first > 0


@pytest.mark.parametrize("reference", [False, True])
def test_gradients_go_through_spikes_into_the_adaptation(reference):
    """``a`` depends on the input through spikes alone."""
    neuron = snn.ALIF(0.5, 0.5, 0.5, multi_step=True)
    x = torch.full((3, 1), 1.5, requires_grad=True)
    mem = torch.tensor([0.25], requires_grad=True)
    initial = [torch.zeros(1), mem]
    if reference:
        a = run_reference(neuron, x, initial, True, True)[1][0]
    else:
        assert neuron.native_refusal(x) is None
        a = neuron(x, *initial)[1]
    gradients = torch.autograd.grad(a[1].sum(), (x, mem))
    # a[0] = H(0.25 - 1), and a[1] = a[0]/2 + H(0.25/2 + 1.5 - a[0]/2 - 1).
    slope = neuron.spike_grad.derivative
    first, second = slope(torch.tensor(-0.75)).item(), slope(torch.tensor(0.625)).item()
    assert gradients[0].squeeze().tolist() == pytest.approx([second, 0, 0])
    assert gradients[1].item() == pytest.approx(0.5 * first + second * (0.5 - 0.5 * first))


def test_decays_are_clamped():
    neuron = snn.ALIF(beta=1.5, rho=-1.0, beta_a=0.0, threshold=100.0)
    spikes, states = trace(neuron, [1.0, 1.0], 2.0, 3.0)
    assert states == [[0.0, 4.0], [0.0, 5.0]]
