"""Products with spikes, forward and backward."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import SpikeTensor

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
