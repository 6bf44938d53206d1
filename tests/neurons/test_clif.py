"""The complementary leaky neuron against its published equations."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import surrogate
from helpers.compare import dense
from helpers.firing import trace


def published(x, beta, threshold, spike):
    """Equations 5 to 8 of Huang et al. (2024): charge, fire, complement, reset in one step."""
    u, m = torch.zeros_like(x[0]), torch.zeros_like(x[0])
    spikes, complements = [], []
    for current in x:
        u = beta * u + current
        s = spike(u - threshold)
        m = m * torch.sigmoid((1 - beta) * u) + s
        u = u - s * (threshold + torch.sigmoid(m))
        spikes.append(s)
        complements.append(m)
    return torch.stack(spikes), torch.stack(complements)


def test_trace_by_hand():
    neuron = snn.CLIF(beta=0.5)
    spikes, states = trace(neuron, [1.5, 0.5, 0.75], 0, 0)
    # σ(1) = 0.7310586, σ(0.5·0.3844707) = 0.5479114, σ(0.5·0.9422354) = 0.6156464.
    assert spikes == [1, 0, 0]
    assert [x for pair in states for x in pair] == pytest.approx(
        [1.0, 1.5, 0.5479114, 0.3844707, 0.3373206, 0.9422354], rel=1e-6
    )


@pytest.mark.parametrize("beta", [0.5, 0.9, 1.0])
def test_the_published_equations(beta):
    x = torch.randn(60, 4, 5, dtype=torch.float64) * 0.8 + 0.3
    neuron = snn.CLIF(beta=beta, detach_reset=False, multi_step=True).double()
    leaves = [x.clone().requires_grad_() for _ in range(2)]
    spikes, m, _ = neuron(leaves[0])
    wanted, complements = published(leaves[1], neuron.beta, 1.0, surrogate.atan())
    assert 0.05 < wanted.mean() < 0.9
    assert torch.equal(spikes, wanted)
    assert torch.allclose(m, complements, rtol=1e-12)
    weights = torch.randn_like(x)
    for train in (spikes, wanted):
        (train * weights).sum().backward()
    assert leaves[0].grad.abs().max() > 0.1
    assert torch.allclose(leaves[0].grad, leaves[1].grad, rtol=1e-9, atol=1e-12)


def test_a_detached_reset_has_other_gradients():
    x = torch.randn(30, 4, 5, dtype=torch.float64) * 0.8 + 0.3
    grads = []
    for detach in (True, False):
        leaf = x.clone().requires_grad_()
        snn.CLIF(0.9, detach_reset=detach, multi_step=True).double()(leaf)[0].sum().backward()
        grads.append(leaf.grad)
    assert (grads[0] - grads[1]).abs().max() > 1e-3


def test_its_reset_is_deeper_the_more_it_has_fired():
    x = torch.full((40, 1), 1.2)
    clif = dense(snn.CLIF(0.9, multi_step=True)(x)[0])
    leaky = dense(snn.Leaky(0.9, multi_step=True, reset_mechanism="subtract_beta")(x)[0])
    assert 10 < clif.sum() < leaky.sum()


def test_its_gradient_reaches_further_than_that_of_leaky():
    """The complement is a path through time of its own."""
    x = torch.rand(50, 16, 20) * 0.8
    reach = []
    for kind in (snn.CLIF, snn.Leaky):
        leaf = x.clone().requires_grad_()
        kind(0.5, multi_step=True)(leaf)[0][-1:].sum().backward()
        reach.append(leaf.grad[:30].abs().sum())
    assert reach[0] > 2 * reach[1]


def test_errors():
    with pytest.raises(ValueError, match="reset_mechanism"):
        snn.CLIF(0.9, reset_mechanism="zero")
    with pytest.raises(ValueError, match="reset_delay"):
        snn.CLIF(0.9, reset_delay=False)


def test_in_a_network_it_is_packed():
    net = nn.Sequential(nn.Linear(6, 8), snn.CLIF(0.9, init_hidden=True, multi_step=True))
    assert isinstance(net(torch.randn(9, 2, 6)), snn.SpikeTensor)
