"""Goodness of layers: its derivative, which crosses no layer, and that it is not read above."""

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


def test_the_derivative_of_the_loss_of_right_data():
    """``∂L/∂r = -2r (1 - σ(G - ϑ))``, and ``2r σ(G - ϑ)`` for wrong ones, as means of samples."""
    net = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    right, wrong = torch.randn(2, 5, 3, dtype=torch.float64).unbind(0)
    model = local.ForwardForward(net, right, threshold=1.5)
    returned = []
    net[0].register_forward_hook(lambda _, args, y: (y.retain_grad(), returned.append(y)) and None)
    model.loss(right, wrong).backward()
    for r, sign in zip(returned, (-1, 1), strict=True):
        goodness = r.square().sum(1, keepdim=True)
        share = torch.sigmoid(sign * (goodness - 1.5))
        assert error(r.grad, sign * 2 * r * share / 5) < 1e-12


def test_goodness_by_hand():
    neurons = snn.IF(init_hidden=True, multi_step=True)
    net = nn.Sequential(nn.Linear(2, 2, bias=False), neurons, nn.Linear(2, 2))
    nn.init.eye_(net[0].weight)
    # Fires at each of four steps, and at one of them.
    x = torch.tensor([[[1.5, 0.3]], [[1.5, 0.3]], [[1.5, 0.3]], [[1.5, 0.3]]])
    squares = local.ForwardForward(net, x).goodness(x)[0]
    assert squares.item() == pytest.approx(1 + 1 / 16)
    snn.utils.reset(net)
    assert local.ForwardForward(net, x, goodness="counts").goodness(x)[0].item() == 5


@pytest.mark.parametrize("case", CASES)
def test_no_gradient_crosses_layers(case):
    make, dtype, packed, shape, run = CASES[case]
    net, x = make(dtype=dtype), spikes(dtype, packed, shape)
    assert_alive(net, x, run)
    model = local.ForwardForward(net, x, run=run)
    for i, layer in enumerate(model.layers):
        snn.utils.reset(net)
        model.goodness(x)[i].sum().backward()
        found = gradients(net)
        assert {name.rpartition(".")[0] for name in found} == {layer.name}
        assert found[f"{layer.name}.weight"].abs().max() > 0


@pytest.mark.parametrize("packed", [False, True])
def test_a_layer_cannot_read_how_much_the_layer_below_fires(packed):
    """The current is that of an input of norm √n; without this it grows with the goodness."""
    net = nn.Sequential(nn.Linear(70, 70, bias=False), nn.Linear(70, 5))
    nn.init.eye_(net[0].weight)
    few = torch.zeros(1, 70)
    few[:, :4] = 1.0
    model = local.ForwardForward(net, few)
    for count in (4, 64):
        x = torch.zeros(1, 70)
        x[:, :count] = 1.0
        first, second = model(snn.SpikeTensor.from_dense(x) if packed else x)
        assert first.item() == count
        wanted = F.linear(x * (70 / count) ** 0.5, net[1].weight, net[1].bias).square().sum(1)
        assert error(second, wanted) < 1e-5
        assert error(net(x).square().sum(1), wanted) > 1e-3


def test_silence_below_leaves_the_bias():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    nn.init.zeros_(net[0].weight)
    nn.init.zeros_(net[0].bias)
    model = local.ForwardForward(net, torch.ones(1, 3))
    assert torch.allclose(model.goodness(torch.ones(1, 3))[1], net[1].bias.square().sum())
    model.loss(torch.ones(1, 3), torch.ones(1, 3)).backward()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_single_steps_have_a_goodness_of_their_own():
    x = spikes(torch.float64)
    net = dense_network(multi_step=False, dtype=torch.float64)
    model = local.ForwardForward(net, x[0], goodness="counts")
    whole = dense_network(dtype=torch.float64)
    whole.load_state_dict(net.state_dict())
    by_step = [torch.stack(of_layer) for of_layer in zip(*(model(step) for step in x), strict=True)]
    wanted = local.ForwardForward(whole, x, goodness="counts")(x)
    assert all(error(a.sum(0), b) < 1e-10 for a, b in zip(by_step, wanted, strict=True))


def test_it_learns_and_predicts():
    samples = torch.rand(40, 16) * 0.5
    y = torch.arange(40) % CLASSES
    for i in range(CLASSES):
        samples[y == i, 4 + 3 * i : 7 + 3 * i] += 0.5
    encode = lambda x: x.expand(10, *x.shape)  # noqa: E731
    net = nn.Sequential(
        nn.Linear(16, 40),
        snn.Leaky(0.8, init_hidden=True, multi_step=True),
        nn.Linear(40, 40),
        snn.Leaky(0.8, init_hidden=True, multi_step=True),
    )
    model = local.ForwardForward(net, encode(samples), threshold=(3.0, 3.0))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(80):
        wrong = (y + torch.randint(1, CLASSES, y.shape)) % CLASSES
        pair = (encode(local.label_input(samples, labels, CLASSES)) for labels in (y, wrong))
        optimizer.zero_grad()
        model.loss(*pair).backward()
        optimizer.step()
    assert (model.predict(samples, CLASSES, encode) == y).float().mean() > 0.8


def test_the_first_numbers_are_the_label():
    images = torch.rand(3, 1, 2, 3)
    marked = local.label_input(images, torch.tensor([0, 3, 2]), 4)
    assert marked.shape == images.shape
    assert torch.equal(marked.flatten(1)[:, :4], torch.eye(4)[[0, 3, 2]])
    assert torch.equal(marked.flatten(1)[:, 4:], images.flatten(1)[:, 4:])


def test_what_makes_no_sense_is_refused():
    x = spikes()
    with pytest.raises(ValueError, match="goodness must be one of 'squares', 'counts'"):
        local.ForwardForward(dense_network(), x, goodness="cubes")
    with pytest.raises(ValueError, match="one for each of the 3 layers, not 2"):
        local.ForwardForward(dense_network(), x, threshold=[1.0, 2.0])
    with pytest.raises(ValueError, match="ForwardForward needs a network with a hidden layer"):
        local.ForwardForward(nn.Linear(INPUTS, 3), x)
    samples = torch.rand(4, 6)
    for labels, classes, match in (
        (torch.tensor([0, 1]), 3, r"labels \[B\]"),
        (torch.tensor([0, 1, 2, 3]), 3, "labels must be classes from 0 to 2"),
        (torch.tensor([0, 1, 2, 3]), 7, "samples must have 7 numbers"),
    ):
        with pytest.raises(ValueError, match=match):
            local.label_input(samples, labels, classes)


def test_packed_input_is_the_same_as_dense():
    x = spikes(packed=True)
    net = dense_network()
    model = local.ForwardForward(net, x)
    packed = model(x)
    snn.utils.reset(net)
    assert all(error(a, b) < 1e-5 for a, b in zip(packed, model(dense(x)), strict=True))
