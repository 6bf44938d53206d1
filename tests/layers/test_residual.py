"""Residual blocks: three ways to join a branch with what goes around it."""

import pytest
import torch
from torch import nn

import bitspike as snn
from helpers.compare import dense, same_bits

NEURON = {"beta": 0.5, "init_hidden": True}


def spikes(packed=False):
    x = (torch.rand(6, 3, 10) < 0.4).float()
    return snn.SpikeTensor.from_dense(x) if packed else x


def branch(**options):
    layer = nn.Linear(10, 10)
    nn.init.normal_(layer.weight)
    return nn.Sequential(layer, snn.Leaky(**NEURON, **options))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("connect", "joined"),
    [
        ("add", lambda a, x: a + x),
        ("and", lambda a, x: a * x),
        ("iand", lambda a, x: (1 - a) * x),
    ],
)
def test_spikes_are_joined(packed, connect, joined):
    x, inner = spikes(packed), branch()
    block = snn.Residual(inner, connect=connect)
    got = snn.unroll(block, x)
    snn.utils.reset(inner)
    fired = dense(snn.unroll(inner, x))
    assert 0.1 < fired.mean() < 0.9
    assert torch.equal(dense(got), joined(fired, dense(x)))


def test_a_silent_branch_is_the_identity():
    x = spikes().requires_grad_()
    for connect, identical in (("add", True), ("iand", True), ("and", False)):
        block = snn.Residual(branch(threshold=1e6, surrogate_disable=True), connect=connect)
        y = snn.unroll(block, x)
        assert torch.equal(y, x) is identical
        if identical:
            (gradient,) = torch.autograd.grad(y.sum(), x)
            assert (gradient == 1).all()
    neurons = snn.Leaky(**NEURON)
    silent = nn.Linear(10, 10, bias=False)
    nn.init.zeros_(silent.weight)
    assert not torch.equal(snn.unroll(snn.Residual(silent, "add", neuron=neurons), x), x)


def test_currents_are_joined_behind_the_branch_or_in_front_of_neurons():
    x = torch.randn(6, 3, 10)
    inner = nn.Sequential(snn.Leaky(**NEURON), nn.Linear(10, 10))
    got = snn.unroll(snn.Residual(inner, "ms"), x)
    snn.utils.reset(inner)
    assert torch.equal(got, snn.unroll(inner, x) + x)
    layer, neurons = nn.Linear(10, 10), snn.Leaky(**NEURON)
    got = snn.unroll(snn.Residual(layer, "add", neuron=neurons), x)
    snn.utils.reset(neurons)
    assert same_bits(got, snn.unroll(neurons, layer(x) + x))


def blocks(**options):
    neuron = {**NEURON, **options}
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        snn.Leaky(**neuron),
        snn.Residual(nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), snn.Leaky(**neuron))),
        snn.Residual(
            nn.Sequential(nn.Conv2d(4, 8, 3, padding=1, stride=2), snn.Leaky(**neuron)),
            shortcut=nn.Sequential(nn.Conv2d(4, 8, 1, stride=2), snn.Leaky(**neuron)),
        ),
        snn.Residual(nn.Conv2d(8, 8, 3, padding=1), "add", neuron=snn.Leaky(**neuron)),
        nn.Flatten(),
        nn.Linear(128, 5),
    )


@pytest.mark.parametrize("packed", [False, True])
def test_a_network_unrolls_as_it_steps(packed):
    x = (torch.rand(5, 2, 1, 8, 8) < 0.5).float()
    net = blocks()
    with torch.no_grad():
        steps = torch.stack([net(step) for step in x])
        snn.utils.reset(net)
        whole = snn.unroll(net, snn.SpikeTensor.from_dense(x, 3) if packed else x)
    assert torch.allclose(whole, steps, atol=1e-5)
    snn.utils.reset(net)
    same = x[:1].expand(5, -1, -1, -1, -1)
    block = net[:3]
    with torch.no_grad():
        assert torch.equal(dense(snn.unroll(snn.Residual(block[0:0], "ms"), same)), 2 * same)


def test_gradients_reach_all_parts():
    net = blocks()
    snn.unroll(net, (torch.rand(5, 2, 1, 8, 8) < 0.5).float()).square().sum().backward()
    assert all(p.grad.abs().max() > 0 for p in net.parameters())


def test_it_runs_fused_and_names_what_ran_apart():
    x = snn.SpikeTensor.from_dense((torch.rand(5, 2, 1, 8, 8) < 0.5).float(), 3)
    net = blocks()
    fused = snn.fuse(net)
    wanted = snn.unroll(net, x)
    snn.utils.reset(net)
    assert torch.allclose(fused(x), wanted, atol=1e-5)
    assert "4.branch" in fused.apart


def test_sequences_without_unroll():
    x = spikes()
    inner = branch(multi_step=True)
    block = snn.Residual(inner)
    got = block(x)
    snn.utils.reset(inner)
    assert same_bits(dense(got), dense(snn.unroll(block, x)))


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="kind must be one of 'sew', 'ms', 'add'"):
        snn.Residual(branch(), "plain")
    with pytest.raises(ValueError, match="connect must be one of"):
        snn.Residual(branch(), connect="or")
    with pytest.raises(ValueError, match="connect='and' joins spikes: kind must be 'sew'"):
        snn.Residual(branch(), "ms", connect="and")
    with pytest.raises(ValueError, match="neuron takes the sum of a block of kind='add'"):
        snn.Residual(branch(), "add")
    with pytest.raises(ValueError, match="neuron takes the sum"):
        snn.Residual(branch(), neuron=snn.Leaky(0.5))
    with pytest.raises(ValueError, match="branch must end with neurons"):
        snn.Residual(nn.Sequential(snn.Leaky(0.5), nn.Linear(10, 10)))
    block = snn.Residual(nn.Sequential(nn.Linear(10, 4), snn.Leaky(**NEURON)))
    with pytest.raises(ValueError, match=r"branch makes \[3, 4\] of x, .* \[3, 10\]: pass a short"):
        block(torch.ones(3, 10))
    with pytest.raises(ValueError, match="pass a shortcut"):
        snn.unroll(block, torch.ones(5, 3, 10))
