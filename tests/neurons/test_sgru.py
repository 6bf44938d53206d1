"""`SGRU` against torch's GRU cell and its equations."""

import math

import pytest
import torch
from torch import nn

import bitspike as snn
from helpers.compare import dense, error, same_bits
from helpers.gated import COPIES, gradients, step_by_step

RESETS = ("none", "subtract", "zero")


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_reset_the_membrane_is_torchs_hidden_state(bias, dtype):
    neuron = snn.SGRU(5, 7, bias=bias, threshold=0.1).to(dtype)
    cell = nn.GRUCell(5, 7, bias=bias).to(dtype)
    cell.load_state_dict(neuron.gru_cell.state_dict(), strict=True)
    x, h = torch.randn(9, 3, 5, dtype=dtype) * 2, torch.rand(3, 7, dtype=dtype)
    spikes, membranes = step_by_step(neuron, x, h)
    for t in range(9):
        h = cell(x[t], h)
        assert same_bits(membranes[t], h)
        assert same_bits(spikes[t], (h > neuron.threshold).to(dtype))
    assert 0 < spikes.sum() < spikes.numel()


@pytest.mark.parametrize("reset", RESETS)
def test_a_trace_by_hand(reset):
    neuron = snn.SGRU(1, 1, threshold=0.2, reset_mechanism=reset).double()
    neuron.gru_cell.weight_ih.data = torch.tensor([[1.0], [0.5], [2.0]]).double()
    neuron.gru_cell.weight_hh.data = torch.tensor([[0.25], [-0.5], [0.75]]).double()
    neuron.gru_cell.bias_ih.data = torch.tensor([0.5, -1.0, 0.25]).double()
    neuron.gru_cell.bias_hh.data = torch.tensor([0.0, 0.0, 0.125]).double()
    theta = float(neuron.threshold)

    def sigmoid(value):
        return 1 / (1 + math.exp(-value))

    h, mem, fired = 0.0, None, 0
    for x in (1.0, 2.0, -2.0, 0.5):
        was_above = h > theta
        r = sigmoid(x + 0.5 + 0.25 * h)
        z = sigmoid(0.5 * x - 1 - 0.5 * h)
        n = math.tanh(2 * x + 0.25 + r * (0.75 * h + 0.125))
        h = (1 - z) * n + z * h
        if was_above and reset == "subtract":
            h -= theta
        elif was_above and reset == "zero":
            h = 0.0
        spikes, mem = neuron(torch.tensor([[x]]).double(), mem)
        assert abs(mem.item() - h) < 1e-7 and spikes.item() == float(h > theta)
        fired += int(h > theta)
    assert 0 < fired < 4


@pytest.mark.parametrize("reset", RESETS)
def test_sequences_are_single_steps(reset):
    arguments = dict(threshold=0.1, reset_mechanism=reset, learn_threshold=True)
    single, whole = snn.SGRU(4, 6, **arguments), snn.SGRU(4, 6, multi_step=True, **arguments)
    whole.load_state_dict(single.state_dict())
    x, mem = torch.randn(8, 3, 4), torch.rand(3, 6)
    wanted, actual = step_by_step(single, x, mem), whole(x, mem)
    assert isinstance(actual[0], snn.SpikeTensor)
    assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))
    wanted = gradients(single, lambda *a: step_by_step(single, *a), x, mem)
    actual = gradients(whole, whole, x, mem)
    assert all(error(actual[name], wanted[name]) < 1e-6 for name in wanted)


def test_gradients_without_spikes_are_right():
    neuron = snn.SGRU(3, 4, threshold=5.0, multi_step=True).double()
    x = torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: neuron(x)[1], x)


def test_hidden_state():
    neuron = snn.SGRU(3, 4, threshold=0.1, init_hidden=True, output=True)
    twin = snn.SGRU(3, 4, threshold=0.1)
    twin.load_state_dict(neuron.state_dict())
    mem = None
    for x in torch.randn(5, 2, 3):
        spikes, mem = twin(x, mem)
        assert all(same_bits(a, w) for a, w in zip(neuron(x), (spikes, mem), strict=True))
        assert same_bits(neuron.mem, mem) and same_bits(neuron.spk, spikes)
    assert not neuron.init_sgru().any()
    with pytest.raises(TypeError, match="init_hidden"):
        neuron(x, mem)


def test_state_dict():
    assert list(snn.SGRU(3, 4).state_dict()) == [
        "threshold",
        "graded_spikes_factor",
        "reset_mechanism_val",
        *(f"gru_cell.{name}" for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")),
    ]


@pytest.mark.parametrize("copied", COPIES)
def test_copies(copied):
    neuron = snn.SGRU(3, 4, threshold=0.1)
    x = torch.rand(2, 3)
    assert same_bits(COPIES[copied](neuron)(x)[1], neuron(x)[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_conversion(dtype):
    neuron = snn.SGRU(3, 4, threshold=0.1, multi_step=True).to(dtype)
    spikes, mem = neuron(torch.rand(5, 2, 3).to(dtype))
    assert spikes.dtype == dtype
    assert mem.dtype == (dtype if dtype == torch.float64 else torch.float32)


def test_compiled():
    torch._dynamo.reset()
    neuron = snn.SGRU(3, 4, threshold=0.1, multi_step=True, inhibition=snn.KWTA(2))
    x = torch.rand(3, 2, 3)
    wanted = neuron(x)
    actual = torch.compile(neuron, fullgraph=True, backend="aot_eager")(x)
    assert all(error(dense(a), dense(w)) < 1e-6 for a, w in zip(actual, wanted, strict=True))
    torch._dynamo.reset()


def test_errors():
    for shape in ((3,), (2, 4), (5, 2, 3)):
        with pytest.raises(ValueError, match=r"input_ must be \[B, 3\]"):
            snn.SGRU(3, 4)(torch.rand(shape))
    with pytest.raises(ValueError, match="mem has shape"):
        snn.SGRU(3, 4, multi_step=True)(torch.rand(5, 2, 3), torch.rand(2, 3))
    with pytest.warns(UserWarning, match="no effect in SGRU"):
        snn.SGRU(3, 4, inhibition=True)
    with pytest.raises(ValueError, match="subtract_beta"):
        snn.SGRU(3, 4, reset_mechanism="subtract_beta")
