"""The two-compartment neuron against its published equations and closed forms."""

import pytest
import torch

import bitspike as snn
from bitspike import surrogate
from helpers.firing import trace

DOUBLE = torch.float64


def published(x, feedback, coupling, gamma, threshold, spike, hard):
    """Zhang et al. (2024), with the reset at the end of the step that fires."""
    dend, soma = torch.zeros_like(x[0]), torch.zeros_like(x[0])
    spikes = []
    for current in x:
        dend = dend - feedback * soma + current
        soma = soma + coupling * dend
        s = spike(soma - threshold)
        soma = (1 - s) * soma if hard else soma - threshold * s
        dend = dend if hard else dend - gamma * s
        spikes.append(s)
    return torch.stack(spikes)


def test_trace_by_hand():
    neuron = snn.TCLIF(feedback=0.5, coupling=0.5, gamma=0.25)
    spikes, states = trace(neuron, [2.0, 1.0, 0.0], 0, 0)
    assert states == [
        [2.0, 1.0],
        [2.5, 2.25],  # 2 - 0.5 + 1; 1 + 1.25, which fires
        [1.625, 2.0625],  # 2.25 - 0.625; 1.25 + 0.8125
    ]
    assert spikes == [0, 1, 1]


@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_the_published_equations(reset):
    x = torch.randn(50, 4, 5, dtype=DOUBLE) * 0.5
    neuron = snn.TCLIF(0.3, 0.7, 0.5, reset_mechanism=reset, detach_reset=False, multi_step=True)
    neuron = neuron.double()
    leaves = [x.clone().requires_grad_() for _ in range(2)]
    _, _, feedback, coupling, _ = (y.detach() for y in neuron.coefficients())
    results = [
        neuron(leaves[0])[0],
        published(leaves[1], feedback, coupling, 0.5, 1.0, surrogate.atan(), reset == "zero"),
    ]
    assert 0.05 < results[1].mean() < 0.9
    assert torch.equal(*results)
    weights = torch.randn_like(x)
    for spikes in results:
        (spikes * weights).sum().backward()
    assert torch.allclose(leaves[0].grad, leaves[1].grad, rtol=1e-8, atol=1e-10)


def test_without_spikes_it_is_a_power_of_a_matrix():
    f, c, alpha, beta = 0.25, 0.5, 0.75, 0.875
    neuron = snn.TCLIF(f, c, alpha=alpha, beta=beta, threshold=1e9, multi_step=True).double()
    _, dend, mem = neuron(torch.zeros(30, 2, 3, dtype=DOUBLE), *torch.rand(2, 2, 3, dtype=DOUBLE))
    step = torch.tensor([[alpha, -f], [c * alpha, beta - c * f]], dtype=DOUBLE)
    start = torch.stack([dend[0], mem[0]])
    wanted = torch.einsum("ij,jbn->ibn", torch.linalg.matrix_power(step, 29), start)
    assert torch.allclose(torch.stack([dend[-1], mem[-1]]), wanted, rtol=1e-6)


def test_without_a_leak_nothing_is_forgotten():
    """The determinant of the step is 1: the two compartments swing for ever."""
    neuron = snn.TCLIF(threshold=1e9, multi_step=True).double()
    x = torch.zeros(2000, 1, dtype=DOUBLE)
    x[0] = 1.0
    mem = neuron(x)[2]
    assert mem[-200:].abs().max() > 0.999 * mem.abs().max() > 1.0


def test_without_dendritic_memory_it_is_leaky():
    options = dict(threshold=0.75, multi_step=True)
    neuron = snn.TCLIF(0.0, 1.0, 0.0, alpha=0.0, beta=0.5, **options).double()
    leaky = snn.Leaky(0.5, reset_mechanism="subtract_beta", **options).double()
    x = torch.randint(-3, 6, (20, 4, 5)).double() / 4
    spikes, _, mem = neuron(x)
    wanted, membrane = leaky(x)
    assert 0.1 < wanted.mean() < 0.9
    assert torch.equal(spikes, wanted) and torch.equal(mem, membrane)


def test_reset_none_leaves_both_compartments():
    x = torch.full((10, 1), 0.5)
    fired = snn.TCLIF(reset_mechanism="none", multi_step=True)(x)
    silent = snn.TCLIF(threshold=1e9, multi_step=True)(x)
    assert fired[0].any() and torch.equal(fired[2], silent[2])


def test_what_is_learned():
    learned = dict(learn_gamma=True, learn_alpha=True, learn_beta=True)
    neuron = snn.TCLIF(alpha=0.9, beta=0.9, multi_step=True, **learned)
    neuron(torch.rand(20, 4, 3))[2].square().sum().backward()
    names = {"w_feedback", "w_coupling", "gamma", "alpha", "beta"}
    assert {name for name, p in neuron.named_parameters() if p.grad.abs() > 0} == names


def test_errors():
    with pytest.raises(ValueError, match="feedback must be from 0 to 1"):
        snn.TCLIF(feedback=1.5)
    with pytest.raises(ValueError, match="reset_delay"):
        snn.TCLIF(reset_delay=False)
