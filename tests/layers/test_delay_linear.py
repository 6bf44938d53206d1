"""`DelayLinear`: delays of synapses, their kernels, their gradient, bits and hidden state."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike.surrogate import schedule
from helpers.compare import dense, error, same_bits

KERNELS = ["linear", "gaussian", "triangle"]


def spikes(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def whole(n, m, longest, count=1, **options):
    """A layer of whole delays whose weights add up exactly, in any order."""
    layer = snn.DelayLinear(n, m, longest, "linear", count, **options)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-8, 9, layer.weight.shape) / 8)
        layer.delay.copy_(torch.randint(0, longest + 1, layer.delay.shape))
        if layer.bias is not None:
            layer.bias.copy_(torch.randint(-8, 9, layer.bias.shape) / 8)
    return layer


def by_hand(layer, x):
    """``y_i[t] = Σ W_ijc x_j[t - d_ijc] + b_i``, synapse by synapse."""
    m, n, count = layer.weight.shape
    y = torch.zeros(*x.shape[:2], m, dtype=x.dtype)
    for i in range(m):
        for j in range(n):
            for c in range(count):
                d = int(layer.delay[i, j, c])
                y[d:, :, i] += layer.weight[i, j, c].detach() * x[: max(len(x) - d, 0), :, j]
    return y if layer.bias is None else y + layer.bias.detach()


@settings(max_examples=30)
@given(
    n=st.sampled_from([1, 3, 64, 65]),
    m=st.sampled_from([1, 5]),
    longest=st.integers(0, 5),
    count=st.integers(1, 2),
    steps=st.integers(0, 8),
    bias=st.booleans(),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_whole_delays_are_exact(n, m, longest, count, steps, bias, dtype):
    layer = whole(n, m, longest, count, bias=bias, multi_step=True).to(dtype)
    x = spikes(steps, 2, n).to(dtype)
    wanted = by_hand(layer, x)
    assert same_bits(layer(x), wanted)
    for kernel in ("gaussian", "triangle"):  # for σ → 0
        layer.kernel, layer.sigma = kernel, 1e-6
        if kernel == "gaussian":
            assert same_bits(layer(x), wanted)
        assert torch.allclose(layer(x), wanted, rtol=0, atol=1e-3)
    layer.kernel = "linear"
    packed = snn.SpikeTensor.from_dense(x)
    assert same_bits(layer(packed), wanted)
    layer.round_()
    with torch.no_grad():
        assert same_bits(layer(packed), wanted)
    single = copy.deepcopy(layer)
    single.multi_step = False
    for sequence in (x, packed):
        snn.utils.reset(single)
        assert all(same_bits(single(a), b) for a, b in zip(sequence, wanted, strict=True))


def test_delays_that_are_not_whole_are_not_exact():
    layer = whole(4, 3, 5, multi_step=True)
    x = spikes(9, 2, 4)
    wanted = by_hand(layer, x)
    layer.delay.data.clamp_(max=4).add_(0.25)
    assert error(layer(x), wanted) > 0.1
    layer.kernel, layer.sigma = "gaussian", 0.5
    assert error(layer(x), wanted) > 0.1


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("packed", [False, True])
def test_random_delays_in_steps_and_sequences(kernel, packed):
    layer = snn.DelayLinear(70, 5, 4, kernel, kernel_count=2, sigma=0.7, multi_step=True)
    x = spikes(9, 3, 70)
    # The definition, in double precision.
    wide = copy.deepcopy(layer).double()
    weights = wide.weights().detach()
    assert error(weights.sum(0), wide.weight.detach().sum(-1)) < 1e-9
    wanted = wide.bias.detach() + torch.zeros(9, 3, 5, dtype=torch.float64)
    for k in range(5):
        wanted[k:] += torch.einsum("tbn,mn->tbm", x[: 9 - k].double(), weights[k])
    x = snn.SpikeTensor.from_dense(x) if packed else x
    assert error(layer(x), wanted) < 1e-6
    assert error(wide(x), wanted) < 1e-12
    layer.multi_step = False
    assert error(torch.stack([layer(step) for step in x]), wanted) < 1e-6
    layer.reset_delay()
    parts = [layer.run_sequence(part) for part in x.split([4, 1, 4])]
    assert error(torch.cat(parts), wanted) < 1e-6


@pytest.mark.parametrize("kernel", KERNELS)
def test_gradients_by_finite_differences(kernel):
    layer = snn.DelayLinear(3, 2, 4, kernel, 2, sigma=0.75, multi_step=True).double()
    delay = torch.tensor([0.3, 1.6, 3.2, 2.7, 0.9, 1.4, 3.8, 2.2, 0.6, 1.7, 2.4, 3.3])
    delay = delay.double().view(2, 3, 2).requires_grad_()
    x = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    weight = layer.weight.detach().requires_grad_()

    def run(x, weight, delay):
        return torch.func.functional_call(layer, {"weight": weight, "delay": delay}, x)

    assert torch.autograd.gradcheck(run, (x, weight, delay))


def test_packed_gradients_are_those_of_dense_spikes():
    layer = snn.DelayLinear(70, 5, 4, multi_step=True)
    x, grad = spikes(9, 3, 70), torch.randn(9, 3, 5)
    found = []
    for sequence in (x, snn.SpikeTensor.from_dense(x)):
        sequence.requires_grad_()
        layer.zero_grad()
        layer(sequence).backward(grad)
        found.append([sequence.grad, layer.weight.grad, layer.delay.grad, layer.bias.grad])
    for a, b in zip(*found, strict=True):
        assert error(dense(a), dense(b)) < 1e-5


@pytest.mark.parametrize("kernel", ["gaussian", "triangle"])
def test_the_mean_delay_is_biased_near_the_ends(kernel):
    """What lies outside of [0, K] is missing, and the rest is scaled to a sum of 1."""
    layer = snn.DelayLinear(1, 1, 10, kernel, bias=False, sigma=1.0)

    def mean(d):
        layer.delay.data.fill_(d)
        weights = (layer.weights() / layer.weight).detach().flatten()
        return float((weights * torch.arange(11)).sum())

    assert mean(5.0) == pytest.approx(5.0, abs=1e-4)
    wanted = {"gaussian": 0.5201, "triangle": 0.3333}[kernel]
    assert mean(0.0) == pytest.approx(wanted, abs=1e-3)
    assert mean(10.0) == pytest.approx(10 - wanted, abs=1e-3)
    layer.sigma = 1e-2  # annealing ends it
    assert mean(0.0) == pytest.approx(0.0, abs=0.01)


def test_delays_are_learned_and_rounded():
    """σ is lowered from wide to narrow; then whole delays are exactly those of the teacher."""
    torch.manual_seed(0)
    teacher = snn.DelayLinear(3, 2, 8, "linear", bias=False, multi_step=True)
    teacher.weight.data.copy_(torch.tensor([[0.9, -1.1, 0.7], [1.2, 0.8, -0.6]]).unsqueeze(-1))
    teacher.delay.data.copy_(torch.tensor([[1.0, 6, 3], [7, 2, 4]]).unsqueeze(-1))
    student = snn.DelayLinear(3, 2, 8, bias=False, delay=4.0, multi_step=True)
    student.weight.data.copy_(teacher.weight)
    sigma = schedule.Exponential(4.0, 0.23, steps=250)
    x = spikes(60, 16, 3)
    wanted = teacher(x).detach()
    optimizer = torch.optim.Adam([student.delay], lr=0.1)
    for i in range(300):
        student.sigma = sigma(i)
        optimizer.zero_grad()
        (student(x) - wanted).square().mean().backward()
        optimizer.step()
    student.round_()
    assert student.delay.equal(teacher.delay.detach())
    assert not student.delay.requires_grad
    with torch.no_grad():
        assert error(student(snn.SpikeTensor.from_dense(x)), wanted) < 1e-6


# Axonal delays: rounded ones move bits


@pytest.mark.parametrize("channels", [None, 3])
@pytest.mark.parametrize("inner", [(), (30,)])
def test_rounded_axons_keep_spikes_packed(channels, inner):
    x = spikes(9, 2, 3, *inner)
    delay = torch.tensor([0.4, 2.6, 4.0]) if channels else 2.6
    layer = snn.SynapticDelay(4, delay, channels, learn_delay=True, kernel="gaussian")
    layer.round_()
    packed = snn.SpikeTensor.from_dense(x)
    moved = layer.run_sequence(packed)
    assert isinstance(moved, snn.SpikeTensor)
    layer.reset_delay()
    wanted = layer.run_sequence(x)
    assert not isinstance(wanted, snn.SpikeTensor) and same_bits(moved, wanted)
    layer.reset_delay()
    steps = [layer(step) for step in packed]
    assert isinstance(steps[-1], snn.SpikeTensor)
    assert all(same_bits(a, b) for a, b in zip(steps, wanted, strict=True))
    shifted = x[:6] if channels is None else x[:6, :, 1]
    assert same_bits(wanted[3:] if channels is None else wanted[3:, :, 1], shifted)


# Hidden state


def test_history_is_a_hidden_state():
    layer = whole(2, 3, 2)
    net = nn.Sequential(nn.Sequential(layer), snn.Leaky(beta=0.5, init_hidden=True))
    assert list(layer.state_dict()) == ["weight", "bias", "delay"]
    x = spikes(5, 4, 2)
    first = [layer(step) for step in x]
    assert layer.history.shape == (2, 4, 2)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.history.numel() == 0
        assert same_bits(other(x[0]), first[0])
    fresh = snn.DelayLinear(2, 3, 2, "linear")
    fresh.load_state_dict(layer.state_dict())
    assert all(same_bits(fresh(step), y) for step, y in zip(x, first, strict=True))
    snn.utils.reset(net)
    assert not layer.history.any()
    assert all(same_bits(layer(step), y) for step, y in zip(x, first, strict=True))
    snn.utils.reset(net)
    assert same_bits(snn.unroll(layer, x), torch.stack(first))


@pytest.mark.parametrize(
    "arguments,message",
    [
        (dict(max_delay=-1), "max_delay"),
        (dict(kernel="gauss"), "kernel must be"),
        (dict(kernel_count=0), "kernel_count must be at least 1"),
        (dict(in_features=0), "in_features must be at least 1"),
        (dict(sigma=-1.0), "sigma must be positive"),
        (dict(delay=5.0), r"delay must lie in \[0, max_delay=3\]"),
        (dict(delay=torch.rand(2)), r"delay must be a number or \[2, 4, 1\]"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        snn.DelayLinear(**{"in_features": 4, "out_features": 2, "max_delay": 3} | arguments)


def test_wrong_shapes():
    layer = snn.DelayLinear(4, 2, 3)
    for shape in ((4,), (2, 5), ()):
        with pytest.raises(ValueError, match=r"x must be \[B, 4\] at each step"):
            layer(torch.rand(shape))
