"""Gradients estimated from losses, by noise in currents: means over all noise, samples apart."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.learning import local
from bitspike.learning.local import node_perturbation
from helpers.compare import error
from helpers.living import INPUTS, convolutional_network, dense_network, gradients, spikes
from helpers.noise import classify, given_signs, mean_over_all_signs


def membranes():
    """A layer that integrates: losses of its membranes are quadratic in its currents."""
    return nn.Sequential(nn.Linear(2, 2), snn.LI(0.5, init_hidden=True, multi_step=True)).double()


@pytest.mark.parametrize("antithetic", [False, True])
def test_the_mean_over_all_noise_in_currents_is_the_gradient(monkeypatch, antithetic):
    """Without a trace, since membranes carry the noise on; with one it is something else."""
    net = membranes()
    x, wish = (torch.randn(3, 1, 2, dtype=torch.float64) for _ in range(2))

    def closure():
        snn.utils.reset(net)
        return (net(x) - wish).square().sum((0, 2))

    closure().mean().backward()
    wanted = gradients(net)
    for trace, exact in ((0.0, True), (0.5, False)):
        optimizer = local.NodePerturbation(net, sigma=0.7, trace=trace, antithetic=antithetic)

        def estimate(optimizer=optimizer):
            optimizer.estimate(closure)
            return gradients(net)

        found = mean_over_all_signs(monkeypatch, node_perturbation, 6, estimate)
        assert all((error(found[name], wanted[name]) < 1e-10) is exact for name in wanted)


def test_the_trace_by_hand(monkeypatch):
    """``∂W = ΔL/σ Σ_t ξ[t] μ[t]`` with ``μ = 1, 0.5, 1.25`` of the input ``1, 0, 1``."""
    net = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(net.weight, 2.0)
    x = torch.tensor([1.0, 0.0, 1.0]).double().view(3, 1, 1)
    given_signs(monkeypatch, node_perturbation, torch.tensor([1.0, -1.0, 1.0]).double())
    optimizer = local.NodePerturbation(net, sigma=0.1, trace=0.5)
    # Currents 2, 0, 2 and, with noise, 2.1, -0.1, 2.1: losses 4 and 4.1, ΔL/σ = 1.
    loss = optimizer.estimate(lambda: net(x).sum((0, 2)))
    assert loss == 4.0
    assert net.weight.grad.item() == pytest.approx(1 - 0.5 + 1.25)


def test_samples_are_credited_by_their_own_losses(monkeypatch):
    net = nn.Linear(1, 1, bias=False).double()
    x = torch.tensor([1.0, 3.0]).double().view(2, 1)
    given_signs(monkeypatch, node_perturbation, torch.tensor([1.0, -1.0]).double())
    optimizer = local.NodePerturbation(net, sigma=0.1)
    optimizer.estimate(lambda: net(x)[:, 0] * torch.tensor([1.0, 10.0]).double())
    # ΔL/σ = 1 and -10, times noise 1 and -1, times inputs 1 and 3, a mean of two samples.
    assert net.weight.grad.item() == pytest.approx((1 + 30) / 2)


NODE_CASES = {
    "packed": (dense_network, torch.float32, True, (INPUTS,), None),
    "dense": (dense_network, torch.float64, False, (INPUTS,), None),
    "packed convolution": (convolutional_network, torch.float32, True, (1, 8, 8), snn.unroll),
    "convolution": (convolutional_network, torch.float64, False, (1, 8, 8), snn.unroll),
}


@pytest.mark.parametrize("case", NODE_CASES)
def test_node_perturbation_learns(case):
    make, dtype, packed, shape, run = NODE_CASES[case]
    net, x = make(dtype=dtype), spikes(dtype, packed, shape)
    closure = classify(net, x, "none", run)
    optimizer = local.NodePerturbation(net, lr=0.02, sigma=0.1, directions=8)
    first = closure().mean().item()
    for _ in range(25):
        loss = optimizer.step(closure)
    assert loss < 0.95 * first


@pytest.mark.parametrize("trace", [0.0, 0.5])
def test_a_loop_over_steps_learns_as_the_sequence_does(trace):
    x = spikes(torch.float64)
    found = []
    for loop in (False, True):
        torch.manual_seed(1)
        # Of 16 neurons, so that a step of the batch takes whole words of noise.
        neurons = snn.LI(0.8, init_hidden=True, multi_step=not loop)
        net = nn.Sequential(nn.Linear(INPUTS, 16), neurons).double()
        run = (lambda net, x: torch.stack([net(step) for step in x])) if loop else None
        optimizer = local.NodePerturbation(net, trace=trace)
        optimizer.estimate(classify(net, x, "none", run))
        found.append(gradients(net))
    for name in ("0.weight", "0.bias"):
        assert found[0][name].abs().max() > 0
        assert error(found[1][name], found[0][name]) < 1e-10


def test_noise_in_currents_varies_less_than_noise_in_weights():
    """The fewer numbers get noise, the less there is of it in the estimate."""
    net = nn.Linear(30, 2, bias=False).double()
    x, y = torch.randn(10, 30, dtype=torch.float64), torch.randn(10, 2, dtype=torch.float64)

    def losses():
        return (net(x) - y).square().sum(1)

    losses().mean().backward()
    wanted = gradients(net)["weight"]
    distances = []
    for kind, closure in (
        (local.NodePerturbation, losses),
        (local.WeightPerturbation, lambda: losses().mean()),
    ):
        optimizer, squares = kind(net), []
        for _ in range(40):
            optimizer.estimate(closure)
            squares.append((gradients(net)["weight"] - wanted).square().sum())
        distances.append(torch.stack(squares).mean())
    assert 5 * distances[0] < distances[1]


def test_node_perturbation_needs_the_losses_of_samples():
    net = dense_network()
    optimizer = local.NodePerturbation(net)
    with pytest.raises(ValueError, match=r"closure must return a tensor \[B\], .* not \[\]"):
        optimizer.step(classify(net, spikes()))
    with pytest.raises(ValueError, match="not float"):
        optimizer.step(lambda: 1.0)
