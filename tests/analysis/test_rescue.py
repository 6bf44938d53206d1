"""Waking silent neurons."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import spikegen

T, B, K, N = 15, 4, 20, 30


def lif(**kwargs):
    return snn.Leaky(**{"beta": 0.9, "init_hidden": True, **kwargs})


def dead_shares(net, x):
    return [row.dead for row in snn.diagnose(net, x)]


def test_a_dead_layer_wakes_up():
    net = nn.Sequential(nn.Linear(K, N), lif(), nn.Linear(N, 8), lif())
    nn.init.constant_(net[0].weight, -0.02)
    nn.init.zeros_(net[0].bias)
    x = spikegen.rate(torch.full((B, K), 0.5), T, packed=True)
    before = dead_shares(net, x)
    assert before[0] == 1
    assert snn.rescue(net, x) == N + round(8 * before[1])
    assert dead_shares(net, x)[0] < 1
    for _ in range(50):
        if not snn.rescue(net, x):
            break
    assert dead_shares(net, x) == [0, 0]
    assert snn.rescue(net, x) == 0


def test_the_bump_is_that_of_the_equation_and_for_silent_neurons_alone():
    neuron = lif(threshold=torch.tensor([2.0, 2.0, 8.0, 1.0]))
    net = nn.Sequential(nn.Linear(5, 4, bias=False), neuron)
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0], [-1.0], [-1.0], [-1.0]]).expand(4, 5))
    assert snn.rescue(net, torch.ones(T, B, 5), strength=0.5) == 3
    wanted = [1.0, -1 + 0.5 * 2 / 5, -1 + 0.5 * 8 / 5, -1 + 0.5 * 1 / 5]
    assert net[0].weight.mean(1).tolist() == pytest.approx(wanted)
    assert not net[0].weight.std(1).any() and net[0].weight.grad is None


def test_the_bump_is_measured_from_rest():
    net = nn.Sequential(nn.Linear(4, 3), snn.QIF(init_hidden=True))
    nn.init.zeros_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    assert snn.rescue(net, torch.ones(T, B, 4)) == 3
    wanted = (net[1].threshold - net[1].u_rest) / 4
    assert torch.allclose(net[0].weight, wanted.expand(3, 4))


def test_channels_are_silent_if_all_their_places_are():
    net = nn.Sequential(nn.Conv2d(2, 3, 3), lif(threshold=torch.full((3, 1, 1), 0.5)))
    nn.init.zeros_(net[0].bias)
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -1.0, 0.0]).view(3, 1, 1, 1).expand(3, 2, 3, 3))
    x = torch.zeros(T, B, 2, 6, 6)
    x[..., 0, 0] = 1
    assert snn.rescue(net, x) == 2
    assert net[0].weight.flatten(1).mean(1).tolist() == pytest.approx([1, -1 + 0.5 / 18, 0.5 / 18])


def test_a_linear_layer_works_along_the_last_axis():
    net = nn.Sequential(nn.Linear(K, 3, bias=False), lif())
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([1.0, -1.0, 1.0]).view(3, 1).expand(3, K))
    assert snn.rescue(net, torch.ones(T, B, 3, K)) == 1
    assert net[0].weight[:, 0].tolist() == pytest.approx([1, -1 + 1 / K, 1])


def test_layers_behind_a_normalisation_and_readouts_are_left_alone():
    net = nn.Sequential(
        nn.Linear(K, N), nn.BatchNorm1d(N), lif(threshold=1e6),
        nn.Linear(N, 4), snn.LI(beta=0.9, init_hidden=True),
    )  # fmt: skip
    before = [p.clone() for p in net.parameters()]
    assert snn.rescue(net, torch.ones(T, B, K)) == 0
    assert all(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))


def test_weights_within_a_neuron():
    neuron = snn.LinearLeaky(0.9, K, N)
    nn.init.constant_(neuron.linear.weight, -1.0)
    assert snn.rescue(neuron, torch.ones(T, B, K)) == N
    assert torch.allclose(neuron.linear.weight, torch.tensor(-1 + 1 / K))


@pytest.mark.parametrize("strength", [0.0, -1.0, float("nan")])
def test_strength_is_positive(strength):
    with pytest.raises(ValueError, match="strength must be positive"):
        snn.rescue(lif(), torch.ones(T, B, K), strength)
