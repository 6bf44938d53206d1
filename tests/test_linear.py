"""Products with spikes, forward and backward, and what a network saves for its backward pass."""

import copy

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import bitspike as snn
from bitspike import SpikeTensor
from bitspike.ops._function import Pack

SHAPES = [
    (1, 1, 1),
    (3, 5, 2),
    (7, 64, 9),
    (17, 65, 33),
    (60, 130, 100),
    (300, 200, 127),
    (256, 512, 256),
]
DENSITIES = [0, 1e-3, 0.03, 0.3, 0.5, 0.9, 1.0]


def random(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def integers(*shape):
    """Small integers: sums of them are exact in any order."""
    return torch.randint(-8, 9, shape).float()


def close(got, expected):
    """Equal to 1e-5 of the largest value."""
    assert type(got) is torch.Tensor or type(got) is nn.Parameter
    scale = max(expected.abs().max().item(), 1) if expected.numel() else 1
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-5 * scale)


def step(layer, x, upstream):
    """Output and all gradients of a layer, also that of its input."""
    layer.zero_grad()
    x = x.detach().requires_grad_()
    out = layer(x)
    (out * upstream).sum().backward()
    return [out.detach(), x.grad, *(p.grad for p in layer.parameters())]


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize(
    "shape, bias", [*((shape, True) for shape in SHAPES), (SHAPES[2], False), (SHAPES[4], False)]
)
def test_linear_is_close_to_the_dense_product(shape, density, bias):
    rows, inputs, outputs = shape
    layer = nn.Linear(inputs, outputs, bias=bias)
    dense, upstream = random(rows, inputs, density=density), torch.randn(rows, outputs)
    expected = step(layer, dense, upstream)
    for got, wanted in zip(
        step(layer, SpikeTensor.from_dense(dense), upstream), expected, strict=True
    ):
        close(got, wanted)


@pytest.mark.parametrize("density", DENSITIES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_linear_with_integers_is_exact(shape, density):
    rows, inputs, outputs = shape
    layer = nn.Linear(inputs, outputs)
    layer.weight.data, layer.bias.data = integers(outputs, inputs), integers(outputs)
    dense, upstream = random(rows, inputs, density=density), integers(rows, outputs)
    expected = step(layer, dense, upstream)
    for got, wanted in zip(
        step(layer, SpikeTensor.from_dense(dense), upstream), expected, strict=True
    ):
        assert torch.equal(got, wanted)


@pytest.mark.parametrize(
    "shape", [(70,), (6, 70), (5, 3, 70), (2, 5, 3, 70), (0, 3, 70), (5, 0, 70)], ids=str
)
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_linear_takes_any_number_of_axes(shape, mode):
    layer = nn.Linear(70, 9)
    layer.weight.data, layer.bias.data = integers(9, 70), integers(9)
    dense = random(*shape)
    with mode():
        out = layer(SpikeTensor.from_dense(dense, features=1))
        assert type(out) is torch.Tensor
        assert torch.equal(out, layer(dense))


@pytest.mark.parametrize("inputs, outputs", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning")
def test_linear_without_inputs_or_outputs(inputs, outputs, mode):
    layer = nn.Linear(inputs, outputs)
    with mode():
        out = layer(SpikeTensor.from_dense(torch.ones(2, 4, inputs)))
        assert torch.equal(out, layer(torch.ones(2, 4, inputs)))


def test_linear_over_features_of_several_axes():
    layer = nn.Linear(7, 3)
    dense = random(5, 2, 10, 7)
    expected = step(layer, dense, torch.ones(5, 2, 10, 3))
    got = step(layer, SpikeTensor.from_dense(dense), torch.ones(5, 2, 10, 3))
    for x, y in zip(got, expected, strict=True):
        close(x, y)


@pytest.mark.parametrize("rank", [2, 3])
def test_products_stay_on_bits(rank):
    layer = nn.Linear(70, 9)
    x = SpikeTensor.from_dense(random(*(5, 3, 70)[3 - rank :]))
    before = snn.unpacked_operations()
    layer(x).sum().backward()
    with torch.no_grad():
        layer(x)
    with torch.inference_mode():
        layer(x)
    assert snn.unpacked_operations() == before


def test_the_layer_before_gets_its_gradient():
    gradients = []
    for spikes in (False, True):
        torch.manual_seed(1)
        first, neuron, second = nn.Linear(20, 70), snn.Leaky(0.9, multi_step=True), nn.Linear(70, 5)
        x = torch.rand(6, 3, 20) * 5
        hidden, _ = neuron(first(x))
        assert type(hidden) is SpikeTensor
        # Multiplication unpacks, and autograd goes through it.
        out = second(hidden if spikes else hidden * 1)
        (out * torch.randn(out.shape)).sum().backward()
        gradients.append([p.grad for p in (*first.parameters(), *second.parameters())])
    assert gradients[0][0].abs().max() > 0
    for x, y in zip(*gradients, strict=True):
        close(x, y)


def test_autocast():
    layer = nn.Linear(130, 40)
    dense = random(50, 130)
    spikes = SpikeTensor.from_dense(dense)
    before = snn.unpacked_operations()
    with torch.autocast("cpu", torch.bfloat16):
        out, expected = layer(spikes), layer(dense)
    assert snn.unpacked_operations() == before
    assert out.dtype == expected.dtype == torch.bfloat16
    torch.testing.assert_close(out, expected, rtol=2**-7, atol=2**-7)
    grads = []
    for y in (out, expected):
        layer.zero_grad()
        y.float().square().sum().backward()
        grads.append(layer.weight.grad)
    assert grads[0].dtype == torch.float32
    torch.testing.assert_close(grads[0], grads[1], rtol=2**-5, atol=2**-5 * grads[1].abs().max())


PRODUCTS = {
    "S @ W": lambda s, w, g: s @ w,
    "S.t() @ G": lambda s, w, g: s.t() @ g,
    "S.T @ G": lambda s, w, g: s.T @ g,
    "S.mT @ G": lambda s, w, g: s.mT @ g,
    "G.t() @ S": lambda s, w, g: g.t() @ s,
    "W.t() @ S.t()": lambda s, w, g: w.t() @ s.t(),
    "S.t().t() @ W": lambda s, w, g: s.t().t() @ w,
}


@pytest.mark.parametrize("name", PRODUCTS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("density", [0.03, 0.9])
def test_products_by_hand(name, shape, density):
    rows, inputs, outputs = shape
    dense = random(rows, inputs, density=density)
    weights, grad = integers(inputs, outputs), integers(rows, outputs)
    before = snn.unpacked_operations()
    got = PRODUCTS[name](SpikeTensor.from_dense(dense), weights, grad)
    assert snn.unpacked_operations() == before
    assert torch.equal(got, PRODUCTS[name](dense, weights, grad))


def test_spikes_times_spikes():
    dense = random(40, 70)
    spikes = SpikeTensor.from_dense(dense)
    assert torch.equal(spikes @ spikes.t(), dense @ dense.t())
    assert torch.equal(spikes.t() @ spikes, dense.t() @ dense)


@pytest.mark.parametrize("name", PRODUCTS)
def test_gradients_of_products_by_hand(name):
    gradients = []
    weights, grad = integers(70, 9), integers(20, 9)
    dense = random(20, 70)
    for make in (torch.clone, SpikeTensor.from_dense):
        s = make(dense).requires_grad_()
        w, g = weights.clone().requires_grad_(), grad.clone().requires_grad_()
        out = PRODUCTS[name](s, w, g)
        (out * (torch.arange(out.numel()).view(out.shape) % 5)).sum().backward()
        gradients.append([x.grad for x in (s, w, g) if x.grad is not None])
    assert len(gradients[0]) == len(gradients[1]) == 2
    for x, y in zip(*gradients, strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("density", [0.03, 0.9])
def test_gradients_with_stride_zero(density):
    layer = nn.Linear(70, 9)
    dense = random(5, 3, 70, density=density)
    grads = []
    for x in (dense, SpikeTensor.from_dense(dense)):
        layer.zero_grad()
        layer(x).sum().backward()
        grads.append([p.grad for p in layer.parameters()])
    for x, y in zip(*grads, strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("density", [0.03, 0.9])
@pytest.mark.parametrize("layout", ["transposed", "sliced", "expanded", "shifted"])
def test_weights_of_any_strides(layout, density):
    weight = {
        "transposed": integers(130, 33).t(),
        "sliced": integers(66, 260)[::2, ::2],
        "expanded": integers(130).expand(33, 130),
        "shifted": integers(34, 131)[1:, 1:],
    }[layout]
    assert weight.shape == (33, 130)
    dense = random(17, 130, density=density)
    results = []
    for x in (dense, SpikeTensor.from_dense(dense)):
        parameter = nn.Parameter(weight)
        assert parameter.stride() == weight.stride()
        out = nn.functional.linear(x, parameter)
        (out * (torch.arange(33) % 5)).sum().backward()
        results.append((out.detach(), parameter.grad))
    for x, y in zip(*results, strict=True):
        assert torch.equal(x, y)


def test_views_of_spikes_as_inputs():
    layer = nn.Linear(70, 9)
    layer.weight.data, layer.bias.data = integers(9, 70), integers(9)
    dense = random(6, 4, 70)
    spikes = SpikeTensor.from_dense(dense)
    for view in (
        lambda x: x[2],
        lambda x: x[::2, 1:],
        lambda x: x.transpose(0, 1),
        lambda x: x[:1].expand(5, 4, 70),
        lambda x: x[:, [3, 0]],
        lambda x: x[1, 2],
        lambda x: x[0].t().t(),
    ):
        expected = step(layer, view(dense), torch.ones(9))
        for got, wanted in zip(step(layer, view(spikes), torch.ones(9)), expected, strict=True):
            assert torch.equal(got, wanted)


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
    packed = Pack.apply(x, SpikeTensor.from_dense(x.detach()).words, 1)
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
