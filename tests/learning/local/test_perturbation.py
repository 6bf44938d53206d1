"""Gradients estimated from losses, by noise in weights: means over all noise, harmless steps."""

import copy

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import surrogate
from bitspike.learning import local
from bitspike.learning.local import perturbation
from helpers.compare import error
from helpers.living import assert_alive, dense_network, gradients, spikes
from helpers.noise import classify, mean_over_all_signs
from helpers.smooth import Smooth


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
    drawn = perturbation.draw(noise, torch.empty(301, 333, dtype=dtype), torch.Generator())
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


def test_parameters_are_put_back_if_a_closure_raises():
    net = dense_network()
    before = [p.detach().clone() for p in net.parameters()]
    for method in ("antithetic", "accept"):
        optimizer = local.WeightPerturbation(net, method=method)
        calls = iter([1.0])
        with pytest.raises(StopIteration):
            optimizer.step(lambda calls=calls: next(calls))
        assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))
