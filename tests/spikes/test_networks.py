"""Linear layers fed by spikes inside networks, and what they save for backward."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import bitspike as snn
from bitspike import SpikeTensor
from bitspike.spikes.pack import Pack


def random(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def integers(*shape):
    """Small integers: sums of them are exact in any order."""
    return torch.randint(-8, 9, shape).float()


def step(layer, x, upstream):
    """Output and all gradients of a layer, also that of its input."""
    layer.zero_grad()
    x = x.detach().requires_grad_()
    out = layer(x)
    (out * upstream).sum().backward()
    return [out.detach(), x.grad, *(p.grad for p in layer.parameters())]


def network(steps=True):
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Linear(100, 512), snn.Leaky(0.9, init_hidden=True, multi_step=steps), nn.Linear(512, 10)
    )
    net[0].weight.data *= 5
    return net


def test_a_hidden_layer_saves_one_float_and_one_bit_per_neuron_and_step():
    net = network()
    x = torch.rand(100, 4, 100)
    parameters = {p.untyped_storage().data_ptr() for p in net.parameters()}
    saved = {}

    def pack(tensor):
        inner = tensor.words if isinstance(tensor, SpikeTensor) else tensor
        storage = inner.untyped_storage()
        known = {*parameters, x.untyped_storage().data_ptr()}
        if storage.data_ptr() not in known:
            # The tensor is kept, so that no address is used twice.
            saved[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        out = net(x)
        out.sum().backward()
    assert any(type(tensor) is SpikeTensor for _, tensor in saved.values())
    per_neuron_and_step = sum(size for size, _ in saved.values()) / (100 * 4 * 512)
    assert 4.125 <= per_neuron_and_step <= 4.2


def gradients(net, run):
    net.zero_grad()
    snn.utils.reset(net)
    out = run()
    (out * torch.linspace(-1, 1, 10)).sum().backward()
    return [out.detach(), *(p.grad for p in net.parameters())]


def test_checkpointing():
    net, x = network(), torch.rand(20, 4, 100)
    second = nn.Sequential(snn.Leaky(0.9, multi_step=True, init_hidden=True), nn.Linear(10, 10))
    expected = gradients(net, lambda: second(net(x)))
    snn.utils.reset(second)

    def run():
        def hidden(x):
            snn.utils.reset(net)
            return net[1](net[0](x))

        spikes = checkpoint(hidden, x, use_reentrant=False)
        assert type(spikes) is SpikeTensor
        return second(checkpoint(net[2], spikes, use_reentrant=False))

    for got, wanted in zip(gradients(net, run), expected, strict=True):
        assert torch.equal(got, wanted)


def test_functional_call():
    net, x = network(), torch.rand(20, 4, 100)
    parameters = {name: (2 * p).detach().requires_grad_() for name, p in net.named_parameters()}
    out = torch.func.functional_call(net, parameters, (x,))
    out.square().sum().backward()
    doubled = copy.deepcopy(net)
    for p in doubled.parameters():
        p.data *= 2
    expected = doubled(x)
    expected.square().sum().backward()
    assert torch.equal(out, expected)
    for got, wanted in zip(parameters.values(), doubled.parameters(), strict=True):
        assert torch.equal(got.grad, wanted.grad)


def test_optimisers_train_through_spikes():
    net, x = network(), torch.rand(10, 4, 100)
    target = torch.tensor([0, 1, 2, 3])
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3)
    losses = []
    for _ in range(10):
        snn.utils.reset(net)
        loss = nn.functional.cross_entropy(net(x).mean(0), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("density", [0.03, 0.9])
def test_any_number_of_threads_gives_the_same_bits(threads, density):
    layer = nn.Linear(512, 200)
    dense, upstream = random(400, 512, density=density), torch.randn(400, 200)
    results = []
    for count in (1, 2, 4):
        threads(count)
        results.append(step(layer, SpikeTensor.from_dense(dense), upstream))
    for other in results[1:]:
        # The input's gradient and that of the bias are torch's own products and sums.
        assert torch.equal(results[0][0], other[0])
        assert torch.equal(results[0][2], other[2])


@pytest.mark.parametrize("frozen", ["weight", "bias", "both"])
def test_frozen_parameters_get_no_gradient(frozen):
    layer, source = nn.Linear(90, 33), torch.rand(60, 90, requires_grad=True)
    layer.weight.requires_grad_(frozen == "bias")
    layer.bias.requires_grad_(frozen == "weight")
    x = (source < 0.1).float() + (source - source.detach())
    packed = Pack.apply(x, SpikeTensor.from_dense(x.detach()).words, 1, False)
    wanted = [source, *(p for p in layer.parameters() if p.requires_grad)]
    gradients = [torch.autograd.grad(layer(y).square().sum(), wanted) for y in (packed, x)]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * theirs.abs().max().item())


@pytest.mark.parametrize("density", [0.03, 0.95])
def test_second_derivatives_are_those_of_the_dense_product(density):
    layer = nn.Linear(40, 7)
    dense = (torch.rand(50, 40) < density).float()

    def second(x):
        first = torch.autograd.grad(layer(x).pow(3).sum(), layer.parameters(), create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in first), layer.parameters())

    for ours, theirs in zip(second(SpikeTensor.from_dense(dense)), second(dense), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5 * theirs.abs().max().item())


def test_wrong_layers_fail_as_with_dense_input():
    x = SpikeTensor.from_dense(torch.eye(6))
    for layer in (nn.Linear(5, 3), nn.Linear(6, 3).double()):
        with pytest.raises(RuntimeError) as ours:
            layer(x)
        with pytest.raises(RuntimeError) as theirs:
            layer(x.dense())
        assert str(ours.value) == str(theirs.value)
