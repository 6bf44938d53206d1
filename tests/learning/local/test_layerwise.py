"""A loss for each layer: exact on the cut graph, and blind to all other layers."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from bitspike.learning import local
from helpers.compare import error
from helpers.living import (
    CASES,
    CLASSES,
    INPUTS,
    NEURON,
    B,
    assert_alive,
    dense_network,
    gradients,
    spikes,
)

Y = torch.arange(B) % CLASSES
READOUTS = ("linear", "fixed", "pool")


def learn(model, x):
    snn.utils.reset(model.net)
    sum(F.cross_entropy(scores.mean(0), Y) for scores in model(x)).backward()
    return gradients(model)


def stages(net):
    """Its layers, each a layer of weights and what follows up to the next one."""
    parts = []
    for module in net:
        if hasattr(module, "weight"):
            parts.append([])
        parts[-1].append(module)
    return [nn.Sequential(*part) for part in parts]


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("case", CASES)
def test_gradients_are_those_of_the_cut_graph(case, readout):
    make, dtype, packed, shape, run = CASES[case]
    net, x = make(dtype=dtype), spikes(dtype, packed, shape)
    assert_alive(net, x, run)
    model = local.Layerwise(net, x, CLASSES, readout=readout, run=run)
    got = learn(model, x)
    snn.utils.reset(net)
    value, loss = x, 0.0
    *hidden, last = stages(net)
    for stage, of_layer in zip(hidden, model.readouts, strict=True):
        fired = snn.unroll(stage[:2], value)
        scores = of_layer(fired.flatten(2))
        loss = loss + F.cross_entropy(scores.mean(0), Y)
        value = snn.unroll(stage[2:], fired).detach()
    loss = loss + F.cross_entropy(snn.unroll(last, value).mean(0), Y)
    loss.backward()
    wanted = gradients(model)
    assert set(got) == set(wanted)
    tolerance = 1e-10 if dtype is torch.float64 else 1e-5
    assert all(error(got[name], wanted[name]) < tolerance for name in wanted)
    # Without the cut they are others.
    snn.utils.reset(net)
    F.cross_entropy(snn.unroll(net, x).mean(0), Y).backward()
    whole = gradients(net)
    assert max(error(got[f"net.{name}"], g) for name, g in whole.items()) > 1e-3


def test_a_layer_does_not_see_later_ones():
    x = spikes(torch.float64)
    net = dense_network(dtype=torch.float64)
    model = local.Layerwise(net, x, CLASSES)
    before = learn(model, x)
    with torch.no_grad():
        net[2].weight.neg_()
        model.readouts[1].weight.neg_()
        net[4].weight.neg_()
    after = learn(model, x)
    for name, gradient in before.items():
        first = name.startswith(("net.0.", "readouts.0."))
        assert gradient.abs().max() > 0
        assert torch.equal(gradient, after[name]) is first, name


def test_each_loss_reaches_its_own_layer_alone():
    x = spikes(packed=True)
    model = local.Layerwise(dense_network(), x, CLASSES)
    for i in range(3):
        snn.utils.reset(model.net)
        F.cross_entropy(model(x)[i].mean(0), Y).backward()
        layer = {f"net.{2 * i}.weight", f"net.{2 * i}.bias"}
        readout = {f"readouts.{i}.weight", f"readouts.{i}.bias"} if i < 2 else set()
        assert set(gradients(model)) == layer | readout


def test_single_steps_and_loops_inside_of_a_network():
    x = spikes(torch.float64)
    net = dense_network(dtype=torch.float64)
    steps = dense_network(multi_step=False, dtype=torch.float64)
    steps.load_state_dict(net.state_dict())

    class Looped(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = steps

        def forward(self, x):
            return torch.stack([self.net(step) for step in x])

    whole = local.Layerwise(net, x, CLASSES)
    by_step = local.Layerwise(steps, x[0], CLASSES)
    looped = local.Layerwise(Looped(), x, CLASSES)
    wanted = whole(x)
    got = [torch.stack(scores) for scores in zip(*(by_step(step) for step in x), strict=True)]
    snn.utils.reset(steps)
    for a, b, c in zip(wanted, got, looped(x), strict=True):
        assert error(b, a) < 1e-10 and error(c, a) < 1e-10


def test_pooling_is_the_mean_of_blocks():
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model = local.Layerwise(net, torch.ones(1, 3), 2, readout="pool")
    scores, _ = model(torch.ones(1, 3))
    hidden = net[0](torch.ones(1, 3))
    assert torch.allclose(scores, torch.stack([hidden[:, :2].mean(1), hidden[:, 2:].mean(1)], 1))


def test_only_linear_readouts_learn():
    x = spikes()
    for readout in READOUTS:
        model = local.Layerwise(dense_network(), x, CLASSES, readout=readout)
        learned = {name for name in learn(model, x) if name.startswith("readouts")}
        assert bool(learned) is (readout == "linear")
    first, again, other = (
        local.Layerwise(dense_network(), x, CLASSES, readout="fixed", seed=seed)
        for seed in (1, 1, 2)
    )
    assert torch.equal(first.readouts[0].weight, again.readouts[0].weight)
    assert not torch.equal(first.readouts[0].weight, other.readouts[0].weight)
    other.load_state_dict(first.state_dict())
    assert torch.equal(first.readouts[0].weight, other.readouts[0].weight)


@pytest.mark.parametrize("readout", READOUTS)
def test_it_learns(readout):
    x = spikes(packed=True)
    net = dense_network()
    model = local.Layerwise(net, x, CLASSES, readout=readout)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)

    def losses():
        snn.utils.reset(net)
        return torch.stack([F.cross_entropy(scores.mean(0), Y) for scores in model(x)])

    first = losses().detach()
    for _ in range(40):
        optimizer.zero_grad()
        losses().sum().backward()
        optimizer.step()
    assert (losses() < 0.9 * first).all()


def test_what_makes_no_sense_is_refused():
    x = spikes()
    with pytest.raises(ValueError, match="readout must be one of 'linear', 'fixed', 'pool'"):
        local.Layerwise(dense_network(), x, CLASSES, readout="mlp")
    with pytest.raises(ValueError, match=r'"pool" needs a neuron for each of the 11 classes, .* 0'):
        local.Layerwise(dense_network(), x, 11, readout="pool")
    with pytest.raises(ValueError, match="Layerwise needs a network with a hidden layer"):
        local.Layerwise(nn.Sequential(nn.Linear(INPUTS, 4), snn.Leaky(**NEURON)), x[0], 4)
