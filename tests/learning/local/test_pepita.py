"""Two forward passes: a trace by hand, the direction for small ``F``, and what is refused."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from bitspike.learning import local
from helpers.compare import dense, error
from helpers.living import (
    CASES,
    CLASSES,
    INPUTS,
    B,
    assert_alive,
    dense_network,
    gradients,
    spikes,
)

Y = torch.arange(B) % CLASSES


def test_a_trace_by_hand():
    """One neuron that integrates and fires, at three of four steps, and with the error at two."""
    net = nn.Sequential(
        nn.Linear(1, 1, bias=False),
        snn.IF(init_hidden=True, multi_step=True),
        nn.Linear(1, 1, bias=False),
        snn.LI(0.0, init_hidden=True, multi_step=True),
    ).double()
    nn.init.constant_(net[0].weight, 1.0)
    nn.init.constant_(net[2].weight, 2.0)
    x = torch.full((4, 1, 1), 0.75).double()
    model = local.PEPITA(net, x, error="difference")
    model.F.fill_(-0.25)
    # Membranes 0.75, 1.5, 1.25, 1: spikes 0, 1, 1, 0. Rate 1/2, output 1, error 1 - 0 = 1.
    # Second pass on 0.75 - 0.25: 0.5, 1, 1.5, 1: spikes 0, 0, 1, 0, of rate 1/4.
    output = model.learn(x, torch.zeros(1, 1))
    assert output.tolist() == [[1.0]]
    assert net[0].weight.grad.item() == (1 / 2 - 1 / 4) * (0.75 - 0.25)
    assert net[2].weight.grad.item() == 1.0 * 1 / 4


def linear_network():
    return nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3), nn.Linear(3, 2)).double()


def test_for_a_small_matrix_it_is_direct_feedback_through_the_forward_weights():
    """``h - h_err = -W…F e``: the error reaches layer l as through a matrix ``-W_l…W_1 F``."""
    net = linear_network()
    x = torch.randn(3, 6, 5, dtype=torch.float64)
    target = torch.randn(6, 2, dtype=torch.float64)
    rates = x.mean(0)
    hidden = [rates, net[0](rates), net[:2](rates)]
    e = net(rates) - target
    distances = []
    for scale in (1e-2, 1e-3):
        model = local.PEPITA(net, x, error="difference", scale=scale)
        model.learn(x, target)
        found, way = gradients(net), model.F
        for i in range(2):
            way = net[i].weight.detach() @ way
            wanted = -(e @ way.t()).t() @ hidden[i] / 6
            distances.append(
                (found[f"{i}.weight"] - wanted).norm().item() / model.F.norm().item() ** 2
            )
            assert error(found[f"{i}.weight"], wanted) < 10 * model.F.norm()
        top = e.t() @ hidden[2] / 6
        assert error(found["2.weight"], top) < 10 * model.F.norm()
        assert error(found["2.bias"], e.mean(0)) < 1e-12
    # What is left is of second order: divided by ‖F‖² it does not depend on F.
    for coarse, fine in zip(distances[:2], distances[2:], strict=True):
        assert fine == pytest.approx(coarse, rel=0.05) and fine > 1e-3


@pytest.mark.parametrize("case", CASES)
def test_updates_are_products_of_rates(case):
    make, dtype, packed, shape, run = CASES[case]
    net, x = make(dtype=dtype), spikes(dtype, packed, shape)
    assert_alive(net, x, run)
    model = local.PEPITA(net, x, scale=0.5, run=run)
    output = model.learn(x, Y)
    found = gradients(net)
    e = output.softmax(1) - F.one_hot(Y, CLASSES)
    pushed = dense(x) + (e @ model.F.t()).view(B, *shape)

    def of_layers(x):
        """The rates that layers take and return, the output's included."""
        snn.utils.reset(net)
        value, rates = x, []
        for module in net:
            taken, value = value, snn.unroll(module, value)
            if hasattr(module, "weight"):
                rates.append(dense(taken).mean(0))
            elif hasattr(module, "STATES"):
                rates.append(dense(value).mean(0))
        return rates[::2], rates[1::2]

    with torch.no_grad():
        (_, returned), (taken, returned_then) = of_layers(x), of_layers(pushed)
    assert error(returned[-1], output) < 1e-5
    layers = [m for m in net if hasattr(m, "weight")]
    for i, layer in enumerate(layers):
        change = e if i == len(layers) - 1 else returned[i] - returned_then[i]
        assert change.abs().max() > 0
        (wanted,) = torch.autograd.grad(layer(taken[i]), [layer.weight], change.to(dtype) / B)
        name = model.layers[i].name
        assert error(found[f"{name}.weight"], wanted) < (1e-10 if dtype is torch.float64 else 1e-4)


def test_both_passes_have_one_mask():
    net = nn.Sequential(nn.Linear(5, 40), nn.Dropout(0.5), nn.Linear(40, 2)).double()
    x = torch.randn(3, 6, 5, dtype=torch.float64)
    model = local.PEPITA(net, x, error="difference", scale=1e-9)
    model.learn(x, Y % 2)
    # What the first layer does differently is of the size of F, unlike with another mask.
    taken = []
    net[2].register_forward_pre_hook(lambda _, args: taken.append(args[0] != 0))
    model.learn(x, Y % 2)
    assert torch.equal(taken[0], taken[1])
    model(x)
    assert not torch.equal(taken[1], taken[-1])


def test_the_matrix_is_that_of_the_seed_and_saved():
    x = spikes()
    net = dense_network()
    first, again, other = (local.PEPITA(net, x, seed=seed) for seed in (1, 1, 2))
    assert first.F.shape == (INPUTS, CLASSES)
    assert torch.equal(first.F, again.F) and not torch.equal(first.F, other.F)
    assert first.F.abs().max() <= 0.05 * (6 / INPUTS) ** 0.5
    other.load_state_dict(first.state_dict())
    assert torch.equal(first.F, other.F)


@pytest.mark.parametrize("packed", [False, True])
def test_it_learns(packed):
    x = spikes(packed=packed)
    net = dense_network(1)
    model = local.PEPITA(net, x, scale=0.5)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.3)
    first = F.cross_entropy(model(x), Y).item()
    for _ in range(60):
        optimizer.zero_grad()
        model.learn(x, Y)
        optimizer.step()
    assert F.cross_entropy(model(x), Y).item() < 0.8 * first
    assert not net[0].weight.grad.requires_grad


def test_what_makes_no_sense_is_refused():
    x = spikes()
    net = dense_network()
    with pytest.raises(ValueError, match="error must be one of"):
        local.PEPITA(net, x, error="mse")
    steps = dense_network(multi_step=False)
    with pytest.raises(ValueError, match=r"PEPITA compares rates: x must be a sequence"):
        local.PEPITA(steps, x[0])
    model = local.PEPITA(net, x)
    with pytest.raises(ValueError, match="x must have 12 inputs"):
        model.learn(x[..., :4], Y)
    for target in (Y[:2], Y + 0.5, torch.rand(B, 3), Y + 1):
        with pytest.raises(ValueError, match="target must"):
            model.learn(x, target)
    pooled = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.MaxPool2d(2),
        snn.Leaky(0.9, init_hidden=True),
        nn.Flatten(),
        nn.Linear(36, 3),
    )
    images = spikes(shape=(1, 8, 8))
    with pytest.raises(ValueError, match="PEPITA needs the neurons of layer 0 right behind it"):
        local.PEPITA(pooled, images, run=snn.unroll).learn(images, Y % 3)
