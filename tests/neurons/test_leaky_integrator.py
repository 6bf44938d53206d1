"""`LI` by hand, and as a `Leaky` that is not reset."""

import pytest
import torch
from torch import nn

import bitspike as snn
from helpers.compare import error, same_bits


def test_trace():
    readout = snn.LI(beta=0.5, multi_step=True)
    mem = readout(torch.tensor([[4.0], [0.0], [0.0], [-1.0]]), torch.tensor([2.0]))
    assert mem[:, 0].tolist() == [5.0, 2.5, 1.25, -0.375]


def test_it_is_leaky_without_reset():
    x = torch.randn(30, 4, 70)
    beta = torch.rand(70)
    wanted = snn.Leaky(beta=beta, reset_mechanism="none", multi_step=True)(x)[1]
    readout = snn.LI(beta=beta, multi_step=True)
    assert readout.native_refusal(x) is None
    assert same_bits(readout(x), wanted)
    mem = torch.zeros(4, 70)
    single = snn.LI(beta=beta)
    for current, expected in zip(x, wanted, strict=True):
        mem = single(current, mem)
        assert same_bits(mem, expected)


def test_gradients():
    x, weights = torch.randn(2, 12, 3, 20)
    found = []
    for dtype in (torch.float32, torch.float64):
        readout = snn.LI(beta=torch.linspace(0.1, 0.9, 20), learn_beta=True, multi_step=True)
        readout = readout.to(dtype)
        inputs = [x.to(dtype).requires_grad_(), torch.ones(3, 20, dtype=dtype).requires_grad_()]
        loss = (readout(*inputs) * weights).sum()
        found.append(torch.autograd.grad(loss, [*inputs, readout.beta]))
    assert all(error(a, w) < 1e-5 for a, w in zip(*found, strict=True))


def test_hidden_state():
    x = torch.randn(10, 3, 5)
    whole = snn.LI(beta=0.8, multi_step=True)(x)
    chunked = snn.LI(beta=0.8, init_hidden=True, multi_step=True)
    assert same_bits(torch.cat([chunked(part) for part in x.split([4, 6])]), whole)
    single = snn.LI(beta=0.8, init_hidden=True)
    assert same_bits(torch.stack([single(current) for current in x]), whole)
    assert same_bits(single.mem, whole[-1])
    with pytest.raises(TypeError, match="mem"):
        single(x[0], x[0])


def test_a_network_that_ends_with_it():
    net = nn.Sequential(nn.Linear(6, 8), snn.IF(init_hidden=True), nn.Linear(8, 3), snn.LI(0.9))
    mem = snn.unroll(net, torch.rand(12, 4, 6))
    assert type(mem) is torch.Tensor and mem.shape == (12, 4, 3)
    mem[-1].sum().backward()
    assert net[0].weight.grad.any()


def test_infinite_input_reaches_nothing_else():
    x = torch.tensor([[float("inf"), 1.0]])
    readout = snn.LI(beta=0.5, learn_beta=True, multi_step=True)
    mem = readout(x.requires_grad_())
    assert mem.tolist() == [[float("inf"), 1.0]]
    mem[:, 1].sum().backward()
    assert x.grad.tolist() == [[0.0, 1.0]] and readout.beta.grad.item() == 0


def test_quantised_states():
    readout = snn.LI(beta=0.5, state_quant=torch.round, multi_step=True)
    assert readout(torch.tensor([[1.3], [1.3]]))[:, 0].tolist() == [1.0, 2.0]
