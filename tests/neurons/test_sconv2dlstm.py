"""`SConv2dLSTM` against snnTorch 1.0.0, bit for bit, and against its equations."""

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


def pair(inputs, outputs, kernel, dtype=torch.float32, **arguments):
    """snnTorch's neuron and ours, with the same weights."""
    theirs = snntorch.SConv2dLSTM(inputs, outputs, kernel, **arguments).to(dtype)
    ours = snn.SConv2dLSTM(inputs, outputs, kernel, **arguments).to(dtype)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def twin(neuron, kernel, **arguments):
    """The same neuron for whole sequences."""
    twin = snn.SConv2dLSTM(
        neuron.in_channels, neuron.out_channels, kernel, multi_step=True, **arguments
    )
    twin.load_state_dict(neuron.state_dict())
    return twin.to(neuron.threshold.dtype)


POOLS = [{}, {"max_pool": 2}, {"avg_pool": 2}, {"max_pool": (2, 1)}, {"avg_pool": [1, 3]}]


@settings(max_examples=40)
@given(
    inputs=st.integers(1, 3),
    outputs=st.integers(1, 3),
    kernel=st.sampled_from([1, 3, 5, (3, 1), [1, 3]]),
    size=st.tuples(st.integers(3, 6), st.integers(3, 6)),
    bias=st.booleans(),
    reset=st.sampled_from(RESETS),
    pool=st.sampled_from(POOLS),
    threshold=st.sampled_from([0.0, 0.05, -0.1]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    seed=st.integers(0, 999),
)
def test_parity(inputs, outputs, kernel, size, bias, reset, pool, threshold, dtype, seed):
    torch.manual_seed(seed)
    arguments = dict(bias=bias, threshold=threshold, reset_mechanism=reset, **pool)
    theirs, ours = pair(inputs, outputs, kernel, dtype, **arguments)
    x = torch.randn(4, 2, inputs, *size, dtype=dtype) * 3
    states = [torch.randn(2, outputs, *size, dtype=dtype) for _ in range(2)]
    with torch.no_grad():
        wanted = step_by_step(theirs, x, *states)
        single = step_by_step(ours, x, *states)
        whole = twin(ours, kernel, **arguments)(x, *states)
    # snnTorch's spikes are float32 always (F11).
    wanted[0] = wanted[0].to(dtype)
    for actual in (single, whole):
        assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))


@pytest.mark.parametrize("pool", POOLS[:3])
@pytest.mark.parametrize("reset", RESETS)
def test_gradients_are_those_of_snntorch(reset, pool):
    arguments = dict(threshold=0.05, reset_mechanism=reset, learn_threshold=True, **pool)
    theirs, ours = pair(2, 3, 3, **arguments)
    x, states = torch.randn(4, 2, 2, 4, 4), [torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)]
    wanted = gradients(theirs, lambda *a: step_by_step(theirs, *a), x, *states)
    whole = twin(ours, 3, **arguments)
    for neuron, run in ((ours, lambda *a: step_by_step(ours, *a)), (whole, whole)):
        actual = gradients(neuron, run, x, *states)
        assert actual.keys() == wanted.keys()
        assert all(error(actual[name], wanted[name]) < 1e-6 for name in wanted)


def test_a_trace_by_hand():
    """One pixel and a kernel of 1: an LSTM without separate biases, gates in the order i f o g."""
    neuron = snn.SConv2dLSTM(1, 1, 1, threshold=0.3, reset_mechanism="zero").double()
    weight = torch.tensor([[1, 0.5], [0.25, -1], [-0.5, 0.75], [2, 1]]).double()
    neuron.conv.weight.data = weight.view(4, 2, 1, 1)
    neuron.conv.bias.data = torch.tensor([0.0, 0.5, 1.0, -0.25]).double()
    theta = float(neuron.threshold)

    def sigmoid(value):
        return 1 / (1 + math.exp(-value))

    h = c = fired = 0.0
    states = [None, None]
    for x in (1.0, 0.5, -1.0, 2.0):
        was_above = h > theta
        i = sigmoid(x + 0.5 * h)
        f = sigmoid(0.25 * x - h + 0.5)
        o = sigmoid(-0.5 * x + 0.75 * h + 1)
        g = math.tanh(2 * x + h - 0.25)
        c = f * c + i * g
        h = 0.0 if was_above else o * math.tanh(c)
        spikes, *states = neuron(torch.tensor([[[[x]]]]).double(), *states)
        assert abs(states[0].item() - c) < 1e-7 and abs(states[1].item() - h) < 1e-7
        assert spikes.item() == float(h > theta)
        fired += spikes.item()
    assert 0 < fired < 4


def test_the_reset_follows_the_unpooled_membrane():
    neuron = snn.SConv2dLSTM(1, 1, 1, max_pool=2, threshold=0.5, reset_mechanism="zero")
    neuron.conv.weight.data.zero_()
    neuron.conv.bias.data.fill_(1.0)
    mem = torch.tensor([[[[0.9, 0.1], [0.5, 0.6]]]])
    spikes, _, after = neuron(torch.zeros(1, 1, 2, 2), torch.full((1, 1, 2, 2), 3.0), mem)
    assert spikes.shape == (1, 1, 1, 1) and spikes.item() == 1
    assert (after != 0).tolist() == [[[[False, True], [True, False]]]]


# Where snnTorch is wrong


def test_new_states_have_the_dtype_of_the_input():
    theirs, ours = pair(1, 2, 3, torch.float64, threshold=0.05)
    x = torch.rand(2, 1, 4, 4, dtype=torch.float64)
    wanted = theirs(x)
    assert wanted[0].dtype == torch.float32  # F11
    spikes, syn, mem = ours(x)
    assert spikes.dtype == syn.dtype == mem.dtype == torch.float64
    assert same_bits(mem, wanted[2].double())


def test_inhibition_warns_and_does_nothing():
    with pytest.warns(UserWarning, match="no effect in SConv2dLSTM"):
        neuron = snn.SConv2dLSTM(1, 2, 3, threshold=-2.0, inhibition=True)
    assert neuron(torch.rand(1, 1, 3, 3))[0].sum() == 18


# Calling conventions


@pytest.mark.parametrize("pool", POOLS[:3])
def test_hidden_state_and_output(pool):
    for output in (False, True):
        theirs, ours = pair(1, 2, 3, threshold=0.1, init_hidden=True, output=output, **pool)
        for x in torch.randn(4, 2, 1, 4, 4) * 2:
            wanted, actual = theirs(x), ours(x)
            assert isinstance(actual, tuple) == output
            if not output:
                wanted, actual = (wanted,), (actual,)
            assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))
            for name in ("syn", "mem", "spk", "reset"):
                assert same_bits(getattr(theirs, name), getattr(ours, name)), name
        snn.SConv2dLSTM.reset_hidden()
        assert not ours.syn.any() and not ours.mem.any()
        assert [x.shape for x in ours.init_sconv2dlstm()] == [(2, 2, 4, 4)] * 2
    with pytest.raises(TypeError, match="init_hidden"):
        ours(x, torch.zeros(2, 2, 4, 4))


@pytest.mark.parametrize("pool", POOLS[:3])
def test_state_is_quantised(pool):
    def thirds(x):
        return (x * 3).round() / 3

    theirs, ours = pair(1, 2, 3, threshold=0.2, state_quant=thirds, **pool)
    x = torch.randn(4, 2, 1, 4, 4) * 3
    wanted, actual = step_by_step(theirs, x), step_by_step(ours, x)
    assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))


def test_sequences_of_pooled_spikes():
    neuron = snn.SConv2dLSTM(1, 2, 3, max_pool=2, threshold=0.05, multi_step=True)
    x = torch.randn(5, 2, 1, 6, 6)
    spikes, _, mem = neuron(x)
    assert isinstance(spikes, snn.SpikeTensor) and spikes.shape == (5, 2, 2, 3, 3)
    assert mem.shape == (5, 2, 2, 6, 6)
    shapes = [tuple(value.shape) for value in neuron(x[:0])]
    assert shapes == [(0, 2, 2, 3, 3), (0, 2, 2, 6, 6), (0, 2, 2, 6, 6)]


# As a module


def test_state_dict():
    ours, theirs = snn.SConv2dLSTM(1, 2, 3), snntorch.SConv2dLSTM(1, 2, 3)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict(), strict=True)


@pytest.mark.parametrize("copied", COPIES)
def test_copies(copied):
    neuron = snn.SConv2dLSTM(1, 2, 3, threshold=0.1, max_pool=2)
    neuron(torch.rand(2, 1, 4, 4))
    other = COPIES[copied](neuron)
    assert other.mem.shape == (0,) and other.spk.shape == (0,)
    neuron.reset_mem()
    x = torch.rand(2, 1, 4, 4)
    assert same_bits(other(x)[2], neuron(x)[2])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_conversion(dtype):
    neuron = snn.SConv2dLSTM(1, 2, 3, threshold=0.1, multi_step=True).to(dtype)
    spikes, syn, mem = neuron(torch.rand(5, 2, 1, 4, 4).to(dtype))
    assert spikes.dtype == dtype
    assert syn.dtype == mem.dtype == (dtype if dtype == torch.float64 else torch.float32)


def test_compiled():
    torch._dynamo.reset()
    neuron = snn.SConv2dLSTM(1, 2, 3, threshold=0.1, avg_pool=2, multi_step=True)
    x = torch.rand(3, 2, 1, 4, 4)
    wanted = neuron(x)
    actual = torch.compile(neuron, fullgraph=True, backend="aot_eager")(x)
    assert all(error(dense(a), dense(w)) < 1e-6 for a, w in zip(actual, wanted, strict=True))
    torch._dynamo.reset()


def test_errors():
    for shape in ((1, 4, 4), (2, 3, 4, 4), (5, 2, 1, 4, 4)):
        with pytest.raises(ValueError, match=r"input_ must be \[B, 1, H, W\]"):
            snn.SConv2dLSTM(1, 2, 3)(torch.rand(shape))
    for kernel in (2, (3, 4), 0, (3, 3, 3)):
        with pytest.raises(ValueError, match="kernel_size"):
            snn.SConv2dLSTM(1, 2, kernel)
    with pytest.raises(ValueError, match="max_pool is 2 and avg_pool is 2"):
        snn.SConv2dLSTM(1, 2, 3, max_pool=2, avg_pool=2)
    with pytest.raises(ValueError, match="KWTA"):
        snn.SConv2dLSTM(1, 2, 3, max_pool=2, inhibition=snn.KWTA(1))
    with pytest.raises(ValueError, match="syn has shape"):
        snn.SConv2dLSTM(1, 2, 3, multi_step=True)(torch.rand(5, 2, 1, 4, 4), torch.rand(2, 1, 4, 4))
    snn.SConv2dLSTM(1, 2, 3, threshold=torch.rand(2, 1, 1))(torch.rand(1, 1, 4, 4))
