"""`SLSTM` against snnTorch 1.0.0, bit for bit, and against its equations."""

import math

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bitspike as snn
from helpers.compare import dense, error, same_bits
from helpers.gated import COPIES, gradients, step_by_step

RESETS = ("none", "subtract", "zero")


def pair(inputs, hidden, dtype=torch.float32, **arguments):
    """snnTorch's neuron and ours, with the same weights."""
    theirs = snntorch.SLSTM(inputs, hidden, **arguments).to(dtype)
    ours = snn.SLSTM(inputs, hidden, **arguments).to(dtype)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def twin(neuron, **arguments):
    """The same neuron for whole sequences."""
    twin = snn.SLSTM(neuron.input_size, neuron.hidden_size, multi_step=True, **arguments)
    twin.load_state_dict(neuron.state_dict())
    return twin.to(neuron.threshold.dtype)


@settings(max_examples=60)
@given(
    size=st.integers(1, 9),
    batch=st.integers(1, 6),
    bias=st.booleans(),
    reset=st.sampled_from(RESETS),
    threshold=st.sampled_from([0.0, 0.1, -0.2]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 999),
)
def test_parity(size, batch, bias, reset, threshold, dtype, seed):
    torch.manual_seed(seed)
    arguments = dict(bias=bias, threshold=threshold, reset_mechanism=reset)
    theirs, ours = pair(size, size, dtype, **arguments)
    x = torch.randn(6, batch, size, dtype=dtype) * 3
    states = [torch.randn(batch, size, dtype=dtype) for _ in range(2)]
    with torch.no_grad():
        wanted = step_by_step(theirs, x, *states)
        single = step_by_step(ours, x, *states)
        whole = twin(ours, **arguments)(x, *states)
    # snnTorch's spikes are float32 always (F11).
    wanted[0] = wanted[0].to(dtype)
    for actual in (single, whole):
        assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))


@pytest.mark.parametrize("reset", RESETS)
def test_gradients_are_those_of_snntorch(reset):
    arguments = dict(threshold=0.05, reset_mechanism=reset, learn_threshold=True)
    theirs, ours = pair(7, 7, **arguments)
    x, states = torch.randn(8, 3, 7), [torch.rand(3, 7), torch.rand(3, 7)]
    wanted = gradients(theirs, lambda *a: step_by_step(theirs, *a), x, *states)
    whole = twin(ours, **arguments)
    for neuron, run in ((ours, lambda *a: step_by_step(ours, *a)), (whole, whole)):
        actual = gradients(neuron, run, x, *states)
        assert actual.keys() == wanted.keys()
        assert all(error(actual[name], wanted[name]) < 1e-6 for name in wanted)


def test_a_trace_by_hand():
    """Weights of one number each, gates from the equations in double precision."""
    neuron = snn.SLSTM(1, 1, threshold=0.2, reset_mechanism="subtract").double()
    values = {"weight_ih": (1, 0.5, 2, -1), "weight_hh": (0.3, -0.2, 0.1, 0.4)}
    for name, numbers in values.items():
        getattr(neuron.lstm_cell, name).data = torch.tensor(numbers).double().view(4, 1)
    neuron.lstm_cell.bias_ih.data = torch.tensor([0.1, 0.2, 0.0, 0.5]).double()
    neuron.lstm_cell.bias_hh.data.zero_()
    theta = float(neuron.threshold)

    def sigmoid(value):
        return 1 / (1 + math.exp(-value))

    h = c = 0.0
    states, wanted = [None, None], []
    for x in (1.0, 2.0, -0.5, 0.0):
        reset = float(h > theta)
        i = sigmoid(1 * x + 0.1 + 0.3 * h)
        f = sigmoid(0.5 * x + 0.2 - 0.2 * h)
        g = math.tanh(2 * x + 0.1 * h)
        o = sigmoid(-1 * x + 0.5 + 0.4 * h)
        c = f * c + i * g
        h = o * math.tanh(c) - reset * theta
        spikes, *states = neuron(torch.tensor([[x]]).double(), *states)
        wanted.append(float(h > theta))
        assert spikes.item() == wanted[-1]
        assert abs(states[0].item() - c) < 1e-7 and abs(states[1].item() - h) < 1e-7
    assert 0 < sum(wanted) < 4


# Where snnTorch is wrong


def test_states_survive_if_the_sizes_differ():
    theirs, ours = pair(3, 5, threshold=0.05)
    x = torch.randn(6, 2, 3) * 2
    lost, kept = step_by_step(theirs, x), step_by_step(ours, x)
    assert same_bits(lost[2][0], kept[2][0])
    # snnTorch starts from zeros at every step (F24).
    for t in range(6):
        assert same_bits(lost[2][t], ours(x[t], torch.zeros(2, 5), torch.zeros(2, 5))[2])
    h, c = torch.zeros(2, 5), torch.zeros(2, 5)
    for t in range(6):
        h, c = ours.lstm_cell(x[t], (h, c))
        assert same_bits(kept[2][t], h) and same_bits(kept[1][t], c)
    assert not same_bits(lost[2][5], kept[2][5])


def test_new_states_have_the_dtype_of_the_input():
    theirs, ours = pair(4, 4, torch.float64, threshold=0.05)
    x = torch.randn(2, 4, dtype=torch.float64)
    with pytest.raises(RuntimeError):
        theirs(x)  # F25: its new states are float32
    spikes, syn, mem = ours(x)
    assert spikes.dtype == syn.dtype == mem.dtype == torch.float64


def test_inhibition_warns_and_does_nothing():
    with pytest.warns(UserWarning, match="no effect in SLSTM"):
        ours = snn.SLSTM(4, 4, threshold=-2.0, inhibition=True)
    with pytest.warns(UserWarning):
        theirs = snntorch.SLSTM(4, 4, threshold=-2.0, inhibition=True)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(3, 4)
    actual = ours(x)
    assert actual[0].sum() == 12
    assert all(same_bits(a, w) for a, w in zip(actual, theirs(x), strict=True))


# Calling conventions


def test_hidden_state_and_output():
    for output in (False, True):
        theirs, ours = pair(4, 4, threshold=0.1, init_hidden=True, output=output)
        for x in torch.randn(5, 3, 4) * 2:
            wanted, actual = theirs(x), ours(x)
            assert isinstance(actual, tuple) == output
            if not output:
                wanted, actual = (wanted,), (actual,)
            assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))
            for name in ("syn", "mem", "spk", "reset"):
                assert same_bits(getattr(theirs, name), getattr(ours, name)), name
        snn.SLSTM.detach_hidden()
        assert not ours.syn.requires_grad and not ours.mem.requires_grad
        snn.SLSTM.reset_hidden()
        assert not ours.syn.any() and not ours.mem.any()
        assert [x.shape for x in ours.init_slstm()] == [(3, 4), (3, 4)]
    with pytest.raises(TypeError, match="init_hidden"):
        ours(torch.rand(3, 4), torch.zeros(3, 4))


def test_sequences_in_chunks_are_packed():
    x = torch.randn(12, 3, 5) * 2
    whole = snn.SLSTM(5, 7, threshold=0.05, multi_step=True)
    spikes, _, membranes = whole(x)
    assert isinstance(spikes, snn.SpikeTensor)
    chunked = snn.SLSTM(5, 7, threshold=0.05, multi_step=True, init_hidden=True)
    chunked.load_state_dict(whole.state_dict())
    parts = [dense(chunked(part)) for part in x.split([5, 1, 6])]
    assert same_bits(torch.cat(parts), spikes)
    assert same_bits(chunked.mem, membranes[-1])
    empty = whole(x[:0])
    assert [tuple(value.shape) for value in empty] == [(0, 3, 7)] * 3
    packed = snn.SpikeTensor.from_dense((x > 1).float())
    assert same_bits(whole(packed)[2], whole((x > 1).float())[2])


def test_state_of_another_batch_restarts():
    neuron = snn.SLSTM(4, 6, threshold=0.1)
    neuron(torch.rand(3, 4))
    x = torch.rand(2, 4)
    assert same_bits(neuron(x)[2], neuron(x, torch.zeros(2, 6), torch.zeros(2, 6))[2])


def test_state_is_quantised():
    def halves(x):
        return (x * 2).round() / 2

    theirs, ours = pair(4, 4, threshold=0.3, state_quant=halves, reset_mechanism="zero")
    x = torch.randn(6, 3, 4) * 3
    wanted, actual = step_by_step(theirs, x), step_by_step(ours, x)
    assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))


# As a module


def test_state_dict():
    ours, theirs = snn.SLSTM(3, 4), snntorch.SLSTM(3, 4)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict(), strict=True)


@pytest.mark.parametrize("copied", COPIES)
def test_copies(copied):
    neuron = snn.SLSTM(3, 4, threshold=0.1, init_hidden=True)
    neuron(torch.rand(2, 3))
    other = COPIES[copied](neuron)
    assert other.mem.shape == (0,) and other.spk.shape == (0,)
    neuron.reset_mem()
    x = torch.rand(2, 3)
    assert same_bits(other(x), neuron(x))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_conversion(dtype):
    neuron = snn.SLSTM(3, 4, threshold=0.1, multi_step=True).to(dtype)
    x = torch.rand(5, 2, 3).to(dtype).requires_grad_()
    spikes, syn, mem = neuron(x)
    wide = torch.float64 if dtype == torch.float64 else torch.float32
    assert spikes.dtype == dtype and syn.dtype == mem.dtype == wide
    (spikes.sum() + mem.sum()).backward()
    assert x.grad.dtype == neuron.lstm_cell.weight_ih.grad.dtype == dtype
    assert same_bits(mem, neuron.to(wide)(x.detach().to(wide))[2])


def test_compiled():
    torch._dynamo.reset()
    neuron = snn.SLSTM(3, 4, threshold=0.1, multi_step=True, reset_mechanism="zero")
    x = torch.rand(3, 2, 3)
    compiled = torch.compile(neuron, fullgraph=True, backend="aot_eager")
    wanted, actual = neuron(x), compiled(x)
    assert all(error(dense(a), dense(w)) < 1e-6 for a, w in zip(actual, wanted, strict=True))
    torch._dynamo.reset()


@pytest.mark.parametrize("shape", [(3,), (2, 4), (5, 2, 3), ()])
def test_inputs_of_another_shape(shape):
    with pytest.raises(ValueError, match=r"input_ must be \[B, 3\]"):
        snn.SLSTM(3, 4)(torch.rand(shape))


def test_wrong_arguments():
    for reset in ("hard", "subtract_beta"):
        with pytest.raises(ValueError, match="reset_mechanism"):
            snn.SLSTM(3, 4, reset_mechanism=reset)
        with pytest.raises(ValueError, match="reset_mechanism"):
            snn.SLSTM(3, 4).reset_mechanism = reset
    with pytest.raises(ValueError, match="threshold has shape"):
        snn.SLSTM(3, 4, threshold=torch.rand(3))(torch.rand(2, 3))
    with pytest.raises(ValueError, match="syn has shape"):
        snn.SLSTM(3, 4, multi_step=True)(torch.rand(5, 2, 3), torch.rand(2, 3))
    assert "SLSTM has no native form" in snn.SLSTM(3, 4).native_refusal(torch.rand(2, 3))
    snn.SLSTM(3, 4, threshold=torch.rand(4))(torch.rand(2, 3))
