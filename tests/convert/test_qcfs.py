"""The activation that neurons compute exactly."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import convert
from bitspike.convert import QCFS


def counts_of(net, x):
    """How often the first neurons of a converted network fire for a constant input."""
    (neuron, *_) = net.neurons().values()
    found = []
    handle = neuron.register_forward_hook(lambda _, inputs, spikes: found.append(spikes.sum(0)))
    net(x)
    handle.remove()
    return sum(found)


@pytest.mark.parametrize(("levels", "limit"), [(1, 1.0), (4, 1.0), (8, 2.5), (16, 0.3)])
def test_it_rounds_to_levels_between_zero_and_its_limit(levels, limit):
    x = torch.rand(1000) * 3 * limit - limit
    expected = limit * ((x * levels / limit + 0.5).floor() / levels).clamp(0, 1)
    with torch.no_grad():
        assert torch.allclose(QCFS(levels, limit)(x), expected)


def test_halves_are_rounded_up():
    x = torch.tensor([-0.125, 0.124, 0.125, 0.374, 0.375, 0.876, 5.0])
    assert QCFS(4, 1.0)(x).tolist() == [0, 0, 0.25, 0.25, 0.5, 1, 1]


def test_the_gradient_is_that_of_the_clip():
    x = torch.tensor([-0.5, 0.3, 0.6, 1.7], requires_grad=True)
    activation = QCFS(4, 1.0)
    activation(x).sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 0]
    # Of λ·h(x/λ): what is above λ adds 1, and what is between what rounding changes, over λ.
    rounding = (0.25 - 0.3) + (0.5 - 0.6)
    assert activation.limit.grad.item() == pytest.approx(1 + rounding, abs=1e-6)


@pytest.mark.parametrize("levels", [1, 4, 8, 32])
def test_a_converted_layer_fires_what_the_activation_says(levels):
    torch.manual_seed(levels)
    ann = nn.Sequential(nn.Linear(20, 300), QCFS(levels, 0.8), nn.Linear(300, 4))
    x = torch.rand(60, 20)
    net, report = convert.ann_to_snn(ann, [x], num_steps=levels)
    with torch.no_grad():
        shares = ann[1](ann[0](x)) / ann[1].limit
        assert torch.equal(counts_of(net, x), (shares * levels).round())
        assert torch.allclose(net(x), ann(x), atol=1e-5)
    (layer,) = report
    assert layer.total < 1e-6


def test_ties_are_the_same_in_the_activation_and_in_neurons():
    ann = nn.Sequential(nn.Linear(1, 1, bias=False), QCFS(8, 1.0), nn.Linear(1, 1))
    nn.init.ones_(ann[0].weight)
    x = torch.arange(-16, 48).view(-1, 1) / 32
    net, _ = convert.ann_to_snn(ann, [x], num_steps=8)
    with torch.no_grad():
        assert torch.equal(counts_of(net, x), 8 * ann[1](x))
        assert torch.equal(counts_of(net, x), (8 * x + 0.5).floor().clamp(0, 8))


def test_a_network_of_whole_numbers_is_exact_in_every_layer_that_sees_constant_spikes():
    # Inputs of 0 and 1 and weights that are multiples of the threshold: rates are 0 or 1.
    torch.manual_seed(0)
    ann = nn.Sequential(nn.Linear(6, 20), QCFS(4, 1.0), nn.Linear(20, 20), QCFS(4, 1.0))
    for layer in (ann[0], ann[2]):
        layer.weight.data = torch.randint(-1, 2, layer.weight.shape).float()
        layer.bias.data = torch.randint(-1, 2, layer.bias.shape).float()
    x = torch.randint(0, 2, (30, 6)).float()
    net, report = convert.ann_to_snn(ann, [x], num_steps=4)
    with torch.no_grad():
        assert torch.equal(net(x), ann(x))
    assert [row.total for row in report] == [0.0, 0.0]


def test_a_model_that_was_trained_with_it_keeps_its_accuracy_for_few_steps():
    torch.manual_seed(0)
    x = torch.rand(300, 2)
    labels = ((x[:, 0] - 0.5) * (x[:, 1] - 0.5) > 0).long()
    ann = nn.Sequential(nn.Linear(2, 40), QCFS(4, 1.0), nn.Linear(40, 2))
    optimizer = torch.optim.Adam(ann.parameters(), lr=0.03)
    for _ in range(200):
        optimizer.zero_grad()
        nn.functional.cross_entropy(ann(x), labels).backward()
        optimizer.step()
    net, _ = convert.ann_to_snn(ann, [x], num_steps=4)
    with torch.no_grad():
        right = (net(x).argmax(1) == labels).float().mean()
        assert torch.equal(net(x).argmax(1), ann(x).argmax(1))
    assert right > 0.9


def test_bad_numbers_are_refused():
    with pytest.raises(ValueError, match="levels must be a whole number"):
        QCFS(0)
    with pytest.raises(ValueError, match="limit must be a positive number"):
        QCFS(4, limit=-1.0)


def test_it_is_a_part_of_a_graph():
    net = nn.Sequential(nn.Linear(2, 2), QCFS())
    assert "QCFS" in str(snn.graph.capture(net, torch.rand(1, 2)))
