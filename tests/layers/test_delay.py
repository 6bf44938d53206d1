"""`SynapticDelay`: its kernels, its two modes, its gradient and its hidden state."""

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from helpers.compare import error, same_bits

IMPULSE = torch.tensor([1.0, 0, 0, 0, 0, 0]).view(6, 1, 1)


def response(**arguments):
    return snn.SynapticDelay(step_mode=False, **arguments)(IMPULSE).flatten().tolist()


def test_responses_by_hand():
    assert response(max_delay=4) == [1, 0, 0, 0, 0, 0]
    assert response(max_delay=4, delay=2) == [0, 0, 1, 0, 0, 0]
    assert response(max_delay=4, delay=1.25) == [0, 0.75, 0.25, 0, 0, 0]
    assert response(max_delay=4, delay=4) == [0, 0, 0, 0, 1, 0]
    assert response(max_delay=4, delay=3.5) == [0, 0, 0, 0.5, 0.5, 0]
    assert response(max_delay=0) == [1, 0, 0, 0, 0, 0]
    weights = [math.exp(-((k - 1.5) ** 2) / (2 * 0.8**2)) for k in range(4)]
    wanted = [w / sum(weights) for w in weights] + [0, 0]
    actual = response(max_delay=3, delay=1.5, kernel="gaussian", sigma=0.8)
    assert error(torch.tensor(actual), torch.tensor(wanted)) < 1e-6


def test_whole_delays_move_bits():
    x = (torch.rand(9, 3, 5) < 0.3).float()
    y = snn.SynapticDelay(6, delay=torch.tensor([0.0, 1, 2, 3, 6]), channels=5, step_mode=False)(x)
    for channel, delay in enumerate((0, 1, 2, 3, 6)):
        assert same_bits(y[delay:, :, channel], x[: 9 - delay, :, channel])
        assert not y[:delay, :, channel].any()


def random_delay(max_delay, channels, learn, kernel, step_mode):
    shape = () if channels is None else (channels,)
    return snn.SynapticDelay(
        max_delay,
        delay=torch.rand(shape, generator=torch.Generator().manual_seed(1)) * max_delay,
        channels=channels,
        learn_delay=learn,
        kernel=kernel,
        step_mode=step_mode,
    )


@settings(max_examples=40)
@given(
    max_delay=st.integers(0, 6),
    channels=st.sampled_from([None, 1, 4]),
    inner=st.sampled_from([(), (3,), (2, 3)]),
    kernel=st.sampled_from(["linear", "gaussian"]),
    learn=st.booleans(),
    steps=st.integers(0, 9),
)
def test_both_modes_are_equal(max_delay, channels, inner, kernel, learn, steps):
    x = torch.randn(steps, 2, channels or 4, *inner)
    single = random_delay(max_delay, channels, learn, kernel, True)
    whole = random_delay(max_delay, channels, learn, kernel, False)
    wanted = [single(step) for step in x]
    actual = whole(x)
    assert actual.shape == x.shape
    assert all(same_bits(a, w) for a, w in zip(actual, wanted, strict=True))
    # The definition, tap by tap, in double precision.
    taps = whole.taps().detach().double()
    assert ((taps.sum(0) - 1).abs() < 1e-6).all()
    wide = x.double().movedim(2, -1)
    definition = torch.zeros_like(wide)
    for t in range(steps):
        for k in range(min(t, max_delay) + 1):
            definition[t] += taps[k] * wide[t - k]
    assert error(actual.movedim(2, -1), definition) < 1e-6


@pytest.mark.parametrize("step_mode", [True, False])
@pytest.mark.parametrize("kernel", ["linear", "gaussian"])
def test_gradients(kernel, step_mode):
    layer = random_delay(4, 3, True, kernel, step_mode).double()
    assert layer.delay.dtype == torch.float64

    def run(x, delay):
        layer.reset_delay()
        with torch.no_grad():
            layer.delay.copy_(delay)
        parameters = {"delay": delay}
        if not step_mode:
            return torch.func.functional_call(layer, parameters, x)
        return torch.stack([torch.func.functional_call(layer, parameters, step) for step in x])

    x = torch.randn(6, 2, 3, dtype=torch.float64, requires_grad=True)
    delay = torch.tensor([0.3, 1.6, 3.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (x, delay))


def test_a_whole_delay_has_a_gradient():
    """At d = 0, where training starts, dy[t]/dd = x[t-1] - x[t]."""
    layer = snn.SynapticDelay(3, learn_delay=True, step_mode=False)
    x = torch.tensor([1.0, 3.0, 7.0]).view(3, 1, 1)
    layer(x)[2].sum().backward()
    assert layer.delay.grad == 3 - 7
    at_the_end = snn.SynapticDelay(1, delay=1.0, learn_delay=True, step_mode=False)
    at_the_end(x)[2].sum().backward()
    assert at_the_end.delay.grad == 3 - 7


def test_a_delay_outside_the_range_can_return():
    layer = snn.SynapticDelay(3, learn_delay=True, step_mode=False)
    layer.delay.data.fill_(-0.5)
    y = layer(IMPULSE)
    assert y.flatten().tolist() == [1, 0, 0, 0, 0, 0]
    y[1].sum().backward()
    assert layer.delay.grad == 1


def test_delays_are_learned():
    x = torch.randn(40, 8, 2)
    target = snn.SynapticDelay(6, torch.tensor([4.0, 1.0]), 2, step_mode=False)(x)
    layer = snn.SynapticDelay(
        6, 2.5, 2, learn_delay=True, kernel="gaussian", sigma=2.0, step_mode=False
    )
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    for i in range(150):
        layer.sigma = max(0.3, 2.0 * 0.98**i)
        optimizer.zero_grad()
        (layer(x) - target).square().mean().backward()
        optimizer.step()
    assert error(layer.delay, torch.tensor([4.0, 1.0])) < 0.05


# Hidden state


def test_history_is_a_hidden_state():
    layer = snn.SynapticDelay(2, delay=2.0)
    net = nn.Sequential(nn.Sequential(layer))
    x = torch.ones(1, 3, requires_grad=True)
    assert not layer(x).any() and not layer(x).any() and layer(x).all()
    assert list(layer.state_dict()) == ["delay"]
    assert layer.history.shape == (2, 1, 3) and layer.history.requires_grad
    snn.SynapticDelay.detach_hidden()
    assert not layer.history.requires_grad and layer.history.all()
    layer.to(torch.float64)
    assert layer.history.dtype == torch.float64
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.history.shape == (0,) and not other(x).any()
    for clear in (lambda: snn.utils.reset(net), layer.reset_delay):
        clear()
        assert not layer.history.any()
        layer(x), layer(x)
        assert layer(x).all()
    assert not layer(torch.ones(4, 3)).any()


def test_sequences_keep_no_history():
    layer = snn.SynapticDelay(2, delay=1.0, step_mode=False)
    assert same_bits(layer(IMPULSE), layer(IMPULSE))
    assert layer.history.shape == (0,)


def test_unroll_in_chunks():
    delay = snn.SynapticDelay(3, delay=torch.tensor([0.0, 2.5, 3.0, 1.0]), channels=4)
    net = nn.Sequential(nn.Linear(2, 4), delay, snn.Leaky(beta=0.9, init_hidden=True))
    x = torch.rand(10, 3, 2) * 4
    loop = torch.stack([net(step) for step in x])
    snn.utils.reset(net)
    assert same_bits(snn.unroll(net, x), loop)
    snn.utils.reset(net)
    parts = [snn.unroll(net, part).dense() for part in x.split([4, 1, 5])]
    assert same_bits(torch.cat(parts), loop)


def test_spikes_integers_dtypes():
    dense = (torch.rand(5, 2, 3) < 0.5).float()
    layer = snn.SynapticDelay(2, delay=0.5, step_mode=False)
    wanted = layer(dense)
    assert same_bits(layer(snn.SpikeTensor.from_dense(dense)), wanted)
    assert same_bits(layer(dense.long()), wanted)
    assert same_bits(layer(dense.bool()), wanted)
    for dtype in (torch.float64, torch.bfloat16):
        assert same_bits(layer(dense.to(dtype)), wanted.to(dtype))


@pytest.mark.parametrize("learn", [True, False])
def test_compiled(learn):
    torch._dynamo.reset()
    x = torch.randn(6, 2, 3)
    for step_mode in (True, False):
        layer = random_delay(3, 3, learn, "linear", step_mode)
        compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="aot_eager")
        for part in x if step_mode else [x]:
            assert error(compiled(part), layer(part)) < 1e-6
    torch._dynamo.reset()


def test_the_callers_tensor_is_copied():
    delays = torch.tensor([1.0, 2.0])
    layer = snn.SynapticDelay(3, delays, 2, learn_delay=True)
    layer.delay.data.zero_()
    assert delays.tolist() == [1, 2]


@pytest.mark.parametrize(
    "arguments,message",
    [
        (dict(max_delay=-1), "max_delay"),
        (dict(max_delay=2.5), "max_delay"),
        (dict(max_delay=3, delay=4.0), r"delay must lie in \[0, max_delay=3\]"),
        (dict(max_delay=3, delay=-1.0), "delay must lie"),
        (dict(max_delay=3, delay=float("nan")), "delay must lie"),
        (dict(max_delay=3, delay=torch.rand(4), channels=5), r"needs a number or \[5\]"),
        (dict(max_delay=3, delay=torch.rand(4)), "needs a number"),
        (dict(max_delay=3, kernel="cubic"), "kernel must be"),
        (dict(max_delay=3, sigma=0.0), "sigma must be positive"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        snn.SynapticDelay(**arguments)


def test_wrong_shapes():
    layer = snn.SynapticDelay(3, channels=4)
    for shape in ((4,), (2, 5), ()):
        with pytest.raises(ValueError, match=r"x must be \[B, 4, \*\] at each step"):
            layer(torch.rand(shape))
    with pytest.raises(ValueError, match=r"x must be \[B, \*\]"):
        snn.SynapticDelay(3, step_mode=False)(torch.rand(5))
