"""Convolutions of packed spikes, against torch's of the same numbers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike import SpikeTensor, ops
from helpers.compare import error

pytestmark = pytest.mark.isa


def maps(*shape, density=0.2):
    return (torch.rand(shape) < density).float()


def packed(x):
    return SpikeTensor.from_dense(x, x.dim() - 1)


def channels_last(spikes):
    """The same spikes with their channels last, as a layer of neurons emits them."""
    x = spikes.dense().unsqueeze(0)
    current = x.movedim(2, -1).contiguous().movedim(-1, 2)
    fired, _ = snn.Leaky(beta=0.0, threshold=0.5, reset_mechanism="none", multi_step=True)(current)
    return fired.flatten(0, 1)


def differentiated(layer, x, grad):
    x = x.detach().requires_grad_()
    out = layer(x)
    return out, *torch.autograd.grad(out, [x, *layer.parameters()], grad)


def check(layer, x):
    expected = layer(x)
    # Eighths, whose sums are exact: of random numbers little may be left of a large sum.
    grad = torch.randint(-16, 17, expected.shape) / 8
    wanted = differentiated(layer, x, grad)
    for spikes in (packed(x), channels_last(packed(x))):
        assert isinstance(spikes, SpikeTensor)
        found = differentiated(layer, spikes, grad)
        assert found[0].stride() == layer(spikes.dense()).stride()
        for ours, theirs in zip(found, wanted, strict=True):
            assert ours.shape == theirs.shape
            assert error(ours, theirs) < 1e-5


@settings(max_examples=80, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.sampled_from([1, 5, 40])),
    st.tuples(st.integers(3, 9), st.integers(3, 9)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.tuples(st.integers(0, 9), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.booleans()),
)
def test_equals_torch(counts, size, kernel, stride, padding, dilation, data):
    (groups, channels, outputs), (rows, density, bias) = counts, data
    reach = [d * (k - 1) - 2 * p for d, k, p in zip(dilation, kernel, padding, strict=True)]
    if any(r >= s for r, s in zip(reach, size, strict=True)):
        return
    layer = nn.Conv2d(
        groups * channels,
        groups * outputs,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )
    check(layer, maps(rows, groups * channels, *size, density=density))


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"groups": 2, "dilation": 3}], ids=str)
def test_one_dimension(options):
    check(nn.Conv1d(4, 6, 3, padding=2, **options), maps(5, 4, 30))


@pytest.mark.parametrize("padding", ["same", "valid"])
def test_paddings_that_are_words(padding, unpacked):
    check(nn.Conv2d(3, 5, 3, padding=padding), maps(4, 3, 8, 9))
    assert "aten.convolution.default" not in unpacked()


def test_what_has_no_packed_form_unpacks():
    x = maps(2, 3, 5, 6, 7)
    layer = nn.Conv3d(3, 4, 2)
    torch.testing.assert_close(layer(SpikeTensor.from_dense(x, 4)), layer(x))
    layer = nn.ConvTranspose2d(3, 4, 2)
    torch.testing.assert_close(layer(packed(x[:, :, 0])), layer(x[:, :, 0]))


@pytest.mark.parametrize("outputs", [4, 40])
def test_results_lie_as_those_of_torch(outputs):
    layer, x = nn.Conv2d(3, outputs, 3), maps(2, 3, 6, 7)
    assert layer(packed(x)).is_contiguous()
    layer.to(memory_format=torch.channels_last)
    assert layer(packed(x)).stride() == layer(x).stride()
    check(layer, x)


def test_a_program_may_view_what_it_computes():
    conv, pool, lif = nn.Conv2d(1, 12, 5), nn.MaxPool2d(2), snn.Leaky(0.9)
    spikes, _ = snn.Leaky(0.5)(maps(8, 1, 28, 28, density=0.3))
    current = conv(spikes)
    assert current.view(8, -1).shape == (8, 12 * 24 * 24)
    for x in lif(pool(current)):
        assert x.view(8, -1).shape == (8, 12 * 12 * 12)
    assert nn.Linear(3, 2)(SpikeTensor.from_dense(maps(3, 4)).t()).view(8).shape == (8,)


def test_errors_are_those_of_torch():
    layer, x = nn.Conv2d(3, 4, 5), maps(2, 3, 4, 9)
    for spikes in (x, packed(x)):
        with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
            layer(spikes)
    with pytest.raises(RuntimeError, match="to have 3 channels"):
        layer(packed(maps(2, 4, 9, 9)))


def test_maps_of_one_channel_that_lie_on_two_axes_of_rows(unpacked):
    x = maps(6, 1, 8, 8)
    spikes = SpikeTensor.from_dense(x)
    assert spikes.rows == 2
    layer = nn.Conv2d(1, 4, 3)
    torch.testing.assert_close(layer(spikes), layer(x))
    assert unpacked() == {}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("outputs", [4, 40])
def test_numbers_that_are_not_finite_reach_what_they_reach_in_torch(bad, outputs):
    layer, x = nn.Conv2d(2, outputs, 3), maps(3, 2, 6, 6)
    grad = torch.randn(3, outputs, 4, 4)
    grad[1, 2, 3, 0] = bad
    for ours, theirs in zip(
        differentiated(layer, packed(x), grad), differentiated(layer, x, grad), strict=True
    ):
        assert torch.equal(ours.isfinite(), theirs.isfinite())
    with torch.no_grad():
        layer.weight[2, 1, 0, 0] = bad
    assert torch.equal(layer(packed(x)).isfinite(), layer(x).isfinite())


def test_second_derivatives():
    layer, x = nn.Conv2d(2, 5, 3), maps(4, 2, 7, 6)

    def second(x):
        first = torch.autograd.grad(layer(x).pow(3).sum(), layer.parameters(), create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in first), layer.parameters())

    for ours, theirs in zip(second(packed(x)), second(x), strict=True):
        assert error(ours, theirs) < 1e-5


def test_autocast():
    layer, x = nn.Conv2d(2, 5, 3), maps(4, 2, 7, 6)
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(packed(x))
    assert out.dtype is torch.bfloat16
    torch.testing.assert_close(out.float(), layer(x), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("density", [0.05, 0.9])
@pytest.mark.parametrize("last", [False, True])
def test_compiled(density, last):
    layer, x = nn.Conv2d(3, 40, 3), maps(6, 3, 9, 9, density=density)
    spikes = channels_last(packed(x)) if last else packed(x)
    compiled = torch.compile(lambda x: layer(x).square().sum(), backend="aot_eager")
    ours = torch.autograd.grad(compiled(spikes), layer.parameters())
    theirs = torch.autograd.grad(layer(x).square().sum(), layer.parameters())
    for a, b in zip(ours, theirs, strict=True):
        assert error(a, b) < 1e-5


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("layer", [nn.Conv2d(3, 40, 3), nn.Conv2d(3, 5, 3)], ids=["40", "5"])
def test_spikes_of_single_steps_are_packed(layer, last, monkeypatch):
    calls = []
    pack = ops.spikes.pack
    monkeypatch.setattr(ops.spikes, "pack", lambda *x: calls.append(x) or pack(*x))
    x = maps(6, 3, 9, 9)
    current = x.to(memory_format=torch.channels_last) if last else x
    spikes, _ = snn.Leaky(beta=0.0, threshold=0.5)(current)
    grad = torch.randn(6, layer.out_channels, 7, 7)
    assert type(spikes) is snn.DenseSpikes
    spikes = spikes.detach().requires_grad_()
    ours = torch.autograd.grad(layer(spikes), [spikes, *layer.parameters()], grad)
    x = x.requires_grad_()
    theirs = torch.autograd.grad(layer(x), [x, *layer.parameters()], grad)
    assert len(calls) == 1
    for a, b in zip(ours, theirs, strict=True):
        assert error(a, b) < 1e-5


def network():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(2, 12, 5),
        snn.Leaky(0.9, init_hidden=True),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 32, 3),
        snn.Leaky(0.9, init_hidden=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 9, 10),
        snn.Leaky(0.9, init_hidden=True, output=True),
    )


def trained(run, x):
    net = network()
    membranes = run(net, x)
    loss = membranes.square().mean()
    return membranes, *torch.autograd.grad(loss, net.parameters())


def by_steps(net, x):
    return torch.stack([net(step)[1] for step in x])


def test_a_network_stays_packed_from_end_to_end(unpacked, monkeypatch):
    x = maps(10, 4, 2, 20, 20)
    whole = trained(lambda net, x: snn.unroll(net, x)[1], SpikeTensor.from_dense(x))
    assert unpacked() == {}
    single = trained(by_steps, x)
    monkeypatch.setattr(snn.DenseSpikes, "packs", False)
    for ours, also, theirs in zip(whole, single, trained(by_steps, x), strict=True):
        assert error(ours, theirs) < 1e-5
        assert error(also, theirs) < 1e-5
