"""Batch normalisation over time, against snnTorch, torch and the equations."""

import copy
import pickle

import pytest
import snntorch
import torch
from torch import nn

import bitspike as snn
from bitspike.layers import BatchNormTT
from helpers.compare import error, same_bits

T, B, C = 5, 4, 3
KINDS = {
    "1d": (snn.BatchNormTT1d, snntorch.BatchNormTT1d, (T, B, C)),
    "1d with length": (snn.BatchNormTT1d, snntorch.BatchNormTT1d, (T, B, C, 6)),
    "2d": (snn.BatchNormTT2d, snntorch.BatchNormTT2d, (T, B, C, 4, 2)),
}
LAYERS = {
    "BatchNormTT1d": lambda: snn.BatchNormTT1d(C, T),
    "tdBN": lambda: snn.tdBN(C, threshold=0.5),
    "TEBN": lambda: snn.TEBN(C, T),
}


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_batch_norm_through_time_is_snntorchs(kind, affine):
    ours, theirs, shape = KINDS[kind]
    options = dict(eps=1e-3, momentum=0.2, affine=affine)
    ours, theirs = ours(C, T, **options), theirs(C, T, **options)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for norm in theirs:
        if affine:
            nn.init.uniform_(norm.weight)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    whole = copy.deepcopy(ours)
    for _ in range(2):
        x = torch.randn(shape) * 3 + 1
        wanted = torch.stack([theirs[t](x[t]) for t in range(T)])
        assert same_bits(torch.stack([ours[t](x[t]) for t in range(T)]), wanted)
        assert same_bits(whole(x), wanted)
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)
        assert torch.equal(whole.state_dict()[name], value)
    for module in (ours, theirs, whole):
        module.eval()
    wanted = torch.stack([theirs[t](x[t]) for t in range(T)])
    assert same_bits(whole(x), wanted)


def test_shorter_sequences_and_slices_of_steps():
    bntt = snn.BatchNormTT1d(C, T)
    x = torch.randn(2, B, C)
    assert same_bits(bntt[:2](x), bntt(x))
    assert isinstance(bntt[:2], BatchNormTT) and len(bntt) == T
    assert bntt(x[:0]).shape == (0, B, C)


def test_tdbn_by_hand():
    """Two steps of one sample: mean 3, variance 5; alpha 2, threshold 1/2, lambda 3, beta 1."""
    layer = snn.tdBN(1, threshold=0.5, alpha=2.0, eps=1e-12)
    layer.weight.data.fill_(3.0)
    layer.bias.data.fill_(1.0)
    x = torch.tensor([0.0, 2.0, 4.0, 6.0]).view(2, 2, 1)
    wanted = 3 * (x - 3) / 5**0.5 + 1
    assert error(layer(x), wanted) < 1e-6
    assert error(layer.norm.running_mean, torch.tensor([0.3])) < 1e-6


def test_tdbn_gives_currents_the_scale_of_the_threshold():
    x = torch.randn(20, 16, C, 5, 5) * torch.tensor([1.0, 10.0, 0.1]).view(C, 1, 1) + 4
    y = snn.tdBN(C, threshold=0.7, alpha=0.5)(x)
    assert error(y.mean((0, 1, 3, 4)) + 1, torch.ones(C)) < 1e-5
    assert error(y.std((0, 1, 3, 4)), torch.full((C,), 0.35)) < 1e-3
    plain = snn.tdBN(C, affine=False)
    assert not list(plain.parameters())
    norm = nn.BatchNorm2d(C, affine=False)
    assert error(plain(x), norm(x.flatten(0, 1)).view(x.shape)) < 1e-6


def test_tebn_by_hand():
    """Mean 3, variance 5 over both steps; gamma 2, beta 1; the steps weigh 1 and 1/2."""
    layer = snn.TEBN(1, time_steps=2, eps=1e-12)
    layer.norm.weight.data.fill_(2.0)
    layer.norm.bias.data.fill_(1.0)
    layer.p.data = torch.tensor([1.0, 0.5])
    x = torch.tensor([0.0, 2.0, 4.0, 6.0]).view(2, 2, 1)
    wanted = (2 * (x - 3) / 5**0.5 + 1) * torch.tensor([1.0, 0.5]).view(2, 1, 1)
    assert error(layer(x), wanted) < 1e-6
    layer(x).sum().backward()
    assert error(layer.p.grad, (wanted.sum((1, 2)) / torch.tensor([1.0, 0.5]))) < 1e-6


@pytest.mark.parametrize("name", LAYERS)
def test_gradients(name):
    layer = LAYERS[name]().double()
    x = torch.randn(T, B, C, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, x)
    layer(x).square().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.any() for p in layer.parameters())


@pytest.mark.parametrize("name", LAYERS)
def test_spikes_and_copies(name):
    layer = LAYERS[name]()
    dense = (torch.rand(T, B, C) < 0.4).float()
    packed = snn.SpikeTensor.from_dense(dense)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert same_bits(layer(dense), other(packed))
    layer.eval()
    fresh = LAYERS[name]().eval()
    fresh.load_state_dict(layer.state_dict(), strict=True)
    assert same_bits(fresh(dense), layer(dense))


@pytest.mark.parametrize("name", LAYERS)
def test_unroll_gives_them_the_whole_sequence(name):
    layer = LAYERS[name]()
    x = torch.randn(T, B, C)
    wanted = copy.deepcopy(layer)(x)
    assert same_bits(snn.unroll(layer, x), wanted)
    net = nn.Sequential(copy.deepcopy(layer), snn.Leaky(beta=0.5, init_hidden=True))
    leaky = snn.Leaky(beta=0.5, multi_step=True)
    assert same_bits(snn.unroll(net, x), leaky(wanted)[0])


def test_compiled():
    torch._dynamo.reset()
    layer, x = snn.TEBN(C, T), torch.randn(T, B, C)
    wanted = copy.deepcopy(layer)(x)
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    assert error(compiled(x), wanted) < 1e-6
    torch._dynamo.reset()


def test_errors():
    with pytest.raises(ValueError, match=r"T up to time_steps=5, not \(6, 4, 3\)"):
        snn.BatchNormTT1d(C, T)(torch.rand(6, B, C))
    with pytest.raises(ValueError, match="x has 6 steps, but time_steps=5"):
        snn.TEBN(C, T)(torch.rand(6, B, C))
    for layer in (snn.tdBN(C), snn.TEBN(C, T)):
        for shape in ((T, C), (T, B, C + 1), (C,), ()):
            with pytest.raises(ValueError, match=r"x must be a sequence \[T, B, 3, \*\]"):
                layer(torch.rand(shape))
    for make in (snn.BatchNormTT1d, snn.BatchNormTT2d, snn.TEBN):
        with pytest.raises(ValueError, match="time_steps must be at least 1, not 0"):
            make(C, 0)
