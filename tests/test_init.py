"""Weights to start from: what membranes do with them, and how often neurons fire."""

import pytest
import torch
from torch import nn

import bitspike as snn

INPUTS, OUTPUTS, STEPS = 200, 300, 400


def membranes(net, rate):
    x = (torch.rand(STEPS, 4, INPUTS) < rate).float()
    return net(x)[100:]


@pytest.mark.parametrize("mean", [0.0, 0.3])
@pytest.mark.parametrize("distance", [1.0, 3.0])
def test_membranes_fluctuate_as_they_should(mean, distance):
    options = {"beta": 0.9, "threshold": 1.5, "mean": mean, "distance": distance}
    layer = nn.Linear(INPUTS, OUTPUTS, bias=False)
    snn.init.fluctuation_driven_(layer.weight, 0.2, **options)
    net = nn.Sequential(layer, snn.LI(0.9, init_hidden=True, multi_step=True))
    membrane = membranes(net, 0.2)
    assert membrane.var(0).mean().sqrt().item() == pytest.approx((1.5 - mean) / distance, rel=0.05)
    assert membrane.mean().item() == pytest.approx(mean, abs=0.1)
    # Another decay has other fluctuations.
    net[1] = snn.LI(0.5, init_hidden=True, multi_step=True)
    other = membranes(net, 0.2).var(0).mean().sqrt().item()
    assert other != pytest.approx((1.5 - mean) / distance, rel=0.3)


def test_synapses_with_a_current_of_their_own():
    layer = nn.Linear(INPUTS, OUTPUTS, bias=False)
    snn.init.fluctuation_driven_(layer.weight, 0.2, beta=0.8, alpha=0.6)
    neurons = snn.Synaptic(0.6, 0.8, reset_mechanism="none", multi_step=True)
    _, _, membrane = neurons(layer((torch.rand(STEPS, 4, INPUTS) < 0.2).float()))
    assert membrane[100:].var(0).mean().sqrt().item() == pytest.approx(0.5, rel=0.05)


def test_the_fan_in_of_a_convolution_is_that_of_one_output():
    first, second = torch.empty(64, 200), torch.empty(64, 8, 5, 5)
    for weight in (first, second):
        snn.init.fluctuation_driven_(weight, 0.1, 0.9)
    assert second.std().item() == pytest.approx(first.std().item(), rel=0.05)


def test_a_draw_is_that_of_its_generator():
    first, second = (
        snn.init.fluctuation_driven_(
            torch.empty(3, 4), 0.1, 0.9, generator=torch.Generator().manual_seed(2)
        )
        for _ in range(2)
    )
    assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"rate": 1.0}, "rate must be in"),
        ({"beta": 1.0}, "beta must be in"),
        ({"alpha": -0.1}, "alpha must be in"),
        ({"mean": 1.0}, "mean must be below the threshold"),
        ({"distance": 0.0}, "distance positive"),
        ({"mean": 0.9, "distance": 30.0}, "mean=0.9 alone makes membranes fluctuate more"),
    ],
)
def test_impossible_fluctuations_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        snn.init.fluctuation_driven_(torch.empty(3, 4), **{"rate": 0.1, "beta": 0.9} | options)


def test_vectors_and_integers_are_no_weights():
    for weight in (torch.empty(4), torch.ones(2, 2, dtype=torch.int64)):
        with pytest.raises(ValueError, match="weight must be a floating-point tensor"):
            snn.init.fluctuation_driven_(weight, 0.1, 0.9)


def network(threshold=1.0, **options):
    neuron = {"beta": 0.9, "threshold": threshold, "init_hidden": True, **options}
    return nn.Sequential(
        nn.Conv2d(1, 6, 3),
        snn.Leaky(**neuron),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 8, 3, bias=False),
        snn.Synaptic(alpha=0.5, **neuron),
        nn.Flatten(),
        nn.Linear(8, 30),
        snn.Leaky(**neuron, reset_mechanism="zero"),
        nn.Linear(30, 4),
        snn.LI(0.9, init_hidden=True),
    )


def rates(net, x):
    found = []
    for module in net:
        x = snn.unroll(module, x)
        if isinstance(module, snn.SpikingNeuron) and not isinstance(module, snn.LI):
            found.append(x.mean().item())
    return found


@pytest.mark.parametrize("threshold", [0.1, 20.0])
@pytest.mark.parametrize("packed", [False, True])
def test_each_layer_fires_at_the_wanted_rate(threshold, packed):
    x = (torch.rand(20, 8, 1, 8, 8) < 0.3).float()
    x = snn.SpikeTensor.from_dense(x, 3) if packed else x
    net = network(threshold)
    readout = net[8].weight.clone()
    with torch.no_grad():
        assert not all(0.05 < rate < 0.3 for rate in rates(net, x))
        snn.utils.reset(net)
        factors = snn.init.threshold_aware_(net, x, rate=0.15)
        assert list(factors) == ["0", "3", "6"]
        assert rates(net, x) == pytest.approx([0.15] * 3, abs=0.01)
    assert torch.equal(net[8].weight, readout)


def test_in_a_loop_over_steps_as_well():
    x = (torch.rand(20, 8, 12) < 0.3).float()
    net = nn.Sequential(nn.Linear(12, 40), snn.Leaky(0.9, init_hidden=True)).double()
    loop = lambda net, x: torch.stack([net(step) for step in x])  # noqa: E731
    snn.init.threshold_aware_(net, x.double(), rate=0.2, run=loop)
    with torch.no_grad():
        assert loop(net, x.double()).mean().item() == pytest.approx(0.2, abs=0.01)


def test_what_cannot_fire_is_named_and_nothing_changes():
    net = nn.Sequential(
        nn.Linear(5, 20), snn.Leaky(0.9, init_hidden=True), nn.Linear(20, 3), snn.Leaky(0.9)
    )
    net[3].init_hidden = True
    nn.init.constant_(net[2].weight, -1.0)
    nn.init.constant_(net[2].bias, -1.0)
    before = [p.detach().clone() for p in net.parameters()]
    with pytest.raises(ValueError, match="no factor makes the neurons behind 2 fire"):
        snn.init.threshold_aware_(net, torch.ones(6, 2, 5))
    assert all(torch.equal(p, b) for p, b in zip(net.parameters(), before, strict=True))
    with pytest.raises(ValueError, match="rate must be in"):
        snn.init.threshold_aware_(net, torch.ones(6, 2, 5), rate=1.5)
