"""Estimates of gradients from losses: their means over all noise, and steps that never harm."""

import copy
from itertools import product

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from bitspike import surrogate
from bitspike.learning import local
from bitspike.learning.local import node_perturbation, perturbation
from helpers.compare import error
from helpers.living import (
    CLASSES,
    INPUTS,
    B,
    assert_alive,
    convolutional_network,
    dense_network,
    gradients,
    spikes,
)
from helpers.smooth import Smooth

Y = torch.arange(B) % CLASSES


def given_signs(monkeypatch, module, signs):
    """The noise is these signs, in the order in which it is drawn."""

    def draw(noise, like, generator):
        if not hasattr(generator, "signs"):
            generator.signs = iter(signs)
        return torch.stack([next(generator.signs) for _ in range(like.numel())]).view(like.shape)

    monkeypatch.setattr(module, "draw", draw)


class Generator(torch.Generator):
    """One that can remember what was drawn of it."""


@pytest.fixture(autouse=True)
def generators(monkeypatch):
    def generator(self, counter, device):
        return Generator(device).manual_seed(int(self.param_groups[0]["seed"]) + counter)

    monkeypatch.setattr(local._perturbation.Perturbation, "generator", generator)


def mean_over_all_signs(monkeypatch, module, count, estimate):
    """The mean of what `estimate` makes of the parameters' gradients, over ``2**count`` noises."""
    total = None
    for signs in product((-1.0, 1.0), repeat=count):
        given_signs(monkeypatch, module, [torch.tensor(s, dtype=torch.float64) for s in signs])
        found = estimate()
        total = found if total is None else {name: total[name] + found[name] for name in found}
    return {name: g / 2**count for name, g in total.items()}


def smooth_network():
    """Two spiking layers whose spikes are the smooth primitive of the surrogate: 6 parameters."""
    kind = surrogate.Sigmoid(4.0)
    neuron = {
        "spike_grad": lambda x: Smooth.apply(x, kind),
        "reset_mechanism": "none",
        "init_hidden": True,
        "multi_step": True,
    }
    net = nn.Sequential(
        nn.Linear(2, 2, bias=False),
        snn.Leaky(0.5, **neuron),
        nn.Linear(2, 1, bias=False),
        snn.Leaky(0.5, **neuron),
    ).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.9, -0.4], [0.3, 0.8]]))
        net[2].weight.copy_(torch.tensor([[0.7, 0.6]]))
    return net


X = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 1.0]]).double().unsqueeze(1)


@pytest.mark.parametrize("method", ["gradient", "antithetic"])
def test_the_mean_over_all_signs_is_the_gradient_of_a_smooth_loss(monkeypatch, method):
    net = smooth_network()

    def closure():
        snn.utils.reset(net)
        return net(X).sum(0).sub(1.2).square().sum()

    closure().backward()
    wanted = gradients(net)
    assert all(g.abs().min() > 1e-3 for g in wanted.values())

    def mean(sigma):
        optimizer = local.WeightPerturbation(net, method=method, sigma=sigma)

        def estimate():
            optimizer.estimate(closure)
            return gradients(net)

        return mean_over_all_signs(monkeypatch, perturbation, 6, estimate)

    found = mean(1e-5)
    assert all(error(found[name], wanted[name]) < 1e-7 for name in wanted)
    found = mean(0.3)
    assert max(error(found[name], wanted[name]) for name in wanted) > 1e-3


@pytest.mark.parametrize("method", ["gradient", "antithetic"])
def test_it_is_exact_for_a_quadratic_loss_at_any_sigma(monkeypatch, method):
    net = nn.Linear(3, 1).double()
    x, y = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)

    def closure(power=2):
        return (net(x) - y).pow(power).sum()

    for power, exact in ((2, True), (4, False)):
        closure(power).backward()
        wanted = gradients(net)
        optimizer = local.WeightPerturbation(net, method=method, sigma=3.0)

        def estimate(optimizer=optimizer, power=power):
            optimizer.estimate(lambda: closure(power))
            return gradients(net)

        found = mean_over_all_signs(monkeypatch, perturbation, 4, estimate)
        assert all((error(found[name], wanted[name]) < 1e-10) is exact for name in wanted)


def test_one_antithetic_direction_is_the_slope_along_it_of_a_quadratic_loss():
    """For either noise, and at any sigma."""
    net = nn.Linear(4, 1).double()
    x, y = torch.randn(5, 4, dtype=torch.float64), torch.randn(5, 1, dtype=torch.float64)

    def closure():
        return (net(x) - y).square().mean()

    closure().backward()
    wanted = gradients(net)
    for noise in ("rademacher", "normal"):
        for method, exact in (("antithetic", True), ("gradient", False)):
            optimizer = local.WeightPerturbation(net, noise=noise, method=method, sigma=2.0)
            optimizer.estimate(closure)
            found = gradients(net)
            # g = (g·ξ) ξ: its product with the gradient is the square of that slope.
            generator = optimizer.generator(0, torch.device("cpu"))
            xi = {
                name: perturbation.draw(noise, p, generator) for name, p in net.named_parameters()
            }
            slope = sum((wanted[name] * xi[name]).sum() for name in wanted)
            same = all(error(found[name], slope * xi[name]) < 1e-10 for name in wanted)
            assert same is exact


def classify(net, x, reduction="mean", run=None):
    def closure():
        snn.utils.reset(net)
        return F.cross_entropy((run or nn.Module.__call__)(net, x).mean(0), Y, reduction=reduction)

    return closure


def test_accepted_steps_never_increase_the_loss_of_the_batch():
    x = spikes(packed=True)
    net = dense_network()
    assert_alive(net, x)
    closure = classify(net, x)
    optimizer = local.WeightPerturbation(net, method="accept", sigma=0.05, directions=2)
    before, changes = closure().item(), set()
    for _ in range(40):
        weights = net[0].weight.detach().clone()
        after = optimizer.step(closure)
        assert after <= before and after == closure().item()
        assert (after == before) is torch.equal(net[0].weight, weights)
        changes.add(after < before)
        before = after
    assert changes == {True, False}
    # Steps that are taken whatever comes of them do increase it.
    other = local.WeightPerturbation(net, method="gradient", lr=0.02, sigma=0.05)
    losses = [other.step(closure) for _ in range(20)]
    assert any(after > before for before, after in zip(losses, losses[1:], strict=False))


def test_ranks_replace_the_scale_of_losses():
    net = nn.Linear(3, 1).double()
    x = torch.randn(5, 3, dtype=torch.float64)

    def closure():
        return net(x).square().mean()

    found = []
    for change in (lambda x: x, lambda x: 1000 * x - 7, torch.exp):
        optimizer = local.WeightPerturbation(net, method="es", sigma=0.1, directions=5)
        optimizer.estimate(lambda change=change: change(closure()))
        found.append(gradients(net)["weight"])
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])
    optimizer = local.WeightPerturbation(net, method="es", directions=5)
    optimizer.estimate(lambda: torch.tensor(1.0))
    assert not gradients(net)["weight"].any()


def test_ranks_by_hand():
    assert perturbation._ranks([3.0, 1.0, 2.0, 2.0, 9.0]) == [0.25, -0.5, -0.125, -0.125, 0.5]


@pytest.mark.parametrize("method", ["gradient", "antithetic", "es", "accept"])
@pytest.mark.parametrize("noise", ["rademacher", "normal"])
def test_weight_perturbation_learns(method, noise):
    x = spikes(packed=True)
    net = dense_network(1)
    closure = classify(net, x)
    optimizer = local.WeightPerturbation(
        net, lr=0.02, sigma=0.05, method=method, directions=6, noise=noise
    )
    first = closure().item()
    for _ in range(30):
        optimizer.step(closure)
    assert closure().item() < 0.9 * first


def test_the_estimate_serves_another_optimiser_and_adds_up():
    x = spikes()
    net = dense_network()
    optimizer = local.WeightPerturbation(net, directions=2)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    weights = [p.detach().clone() for p in net.parameters()]
    optimizer.estimate(classify(net, x))
    first = net[0].weight.grad.clone()
    assert all(torch.equal(p, before) for p, before in zip(net.parameters(), weights, strict=True))
    optimizer.estimate(classify(net, x))
    assert not torch.equal(net[0].weight.grad, 2 * first)
    adam.step()
    assert not torch.equal(net[0].weight, weights[0])


@pytest.mark.parametrize("noise", ["rademacher", "normal"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_noise_has_mean_0_and_variance_1_and_no_pattern(noise, dtype):
    drawn = perturbation.draw(noise, torch.empty(301, 333, dtype=dtype), Generator())
    assert drawn.dtype is dtype and drawn.shape == (301, 333)
    assert abs(drawn.mean()) < 0.02 and abs(drawn.var() - 1) < 0.02
    if noise == "rademacher":
        assert set(drawn.flatten().tolist()) == {-1.0, 1.0}
    for shift in (1, 2, 31, 32, 33, 333):
        neighbours = drawn.flatten()[shift:] * drawn.flatten()[:-shift]
        assert abs(neighbours.mean()) < 0.02


@pytest.mark.parametrize("kind", [local.WeightPerturbation, local.NodePerturbation])
def test_noise_is_that_of_the_seed_and_goes_on_after_a_restart(kind):
    x = spikes()
    net = dense_network()
    reduction = "none" if kind is local.NodePerturbation else "mean"

    def steps(net, optimizer, count):
        for _ in range(count):
            optimizer.step(classify(net, x, reduction))
        return net[0].weight.detach().clone()

    first, second, third = (copy.deepcopy(net) for _ in range(3))
    optimizer = kind(first, seed=5)
    torch.manual_seed(1)
    steps(first, optimizer, 2)
    saved, weights = optimizer.state_dict(), copy.deepcopy(first.state_dict())
    wanted = steps(first, optimizer, 2)
    torch.manual_seed(2)  # The noise has a generator of its own.
    assert torch.equal(steps(second, kind(second, seed=5), 4), wanted)
    resumed = kind(third, seed=1)
    resumed.load_state_dict(saved)
    third.load_state_dict(weights)
    assert torch.equal(steps(third, resumed, 2), wanted)
    third.load_state_dict(weights)
    assert not torch.equal(steps(third, kind(third, seed=6), 2), wanted)


# Noise in currents


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


# Wrong uses


def test_what_makes_no_sense_is_refused():
    net = dense_network()
    for kind in (local.WeightPerturbation, local.NodePerturbation):
        with pytest.raises(ValueError, match="noise must be one of 'rademacher', 'normal'"):
            kind(net, noise="uniform")
        with pytest.raises(ValueError, match="sigma must be positive"):
            kind(net, sigma=0.0)
        with pytest.raises(ValueError, match="directions must be 1 or more"):
            kind(net, directions=0)
    with pytest.raises(ValueError, match="method must be one of"):
        local.WeightPerturbation(net, method="spsa")
    with pytest.raises(ValueError, match="trace must be in"):
        local.NodePerturbation(net, trace=1.0)
    with pytest.raises(ValueError, match="Leaky has none outside of neurons"):
        local.NodePerturbation(snn.Leaky(0.9, learn_beta=True))
    with pytest.raises(ValueError, match="Leaky has none"):
        local.WeightPerturbation(snn.Leaky(0.9))


def test_accepting_has_no_gradient():
    net = dense_network()
    optimizer = local.WeightPerturbation(net, method="accept")
    with pytest.raises(ValueError, match=r'"accept" has no gradient: call step\(closure\)'):
        optimizer.estimate(classify(net, spikes()))


def test_node_perturbation_needs_the_losses_of_samples():
    net = dense_network()
    optimizer = local.NodePerturbation(net)
    with pytest.raises(ValueError, match=r"closure must return a tensor \[B\], .* not \[\]"):
        optimizer.step(classify(net, spikes()))
    with pytest.raises(ValueError, match="not float"):
        optimizer.step(lambda: 1.0)


def test_parameters_are_put_back_if_a_closure_raises():
    net = dense_network()
    before = [p.detach().clone() for p in net.parameters()]
    for method in ("antithetic", "accept"):
        optimizer = local.WeightPerturbation(net, method=method)
        calls = iter([1.0])
        with pytest.raises(StopIteration):
            optimizer.step(lambda calls=calls: next(calls))
        assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))
