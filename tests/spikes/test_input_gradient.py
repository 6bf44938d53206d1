"""The gradient of a linear layer's input from few errors: when, how exactly, and when not."""

import contextlib

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import bitspike as snn
from bitspike import surrogate
from bitspike.ops import _native, matmul
from bitspike.spikes.pack import pack_if_binary

T, B, K, N = 40, 3, 90, 70
COMPACT = [
    surrogate.triangle(width=0.3),
    surrogate.boxcar(width=0.2),
    surrogate.piecewise_quadratic(alpha=4.0),
    surrogate.SparseFastSigmoid(slope=25.0, B=0.2),
]


@pytest.fixture
def products(monkeypatch):
    """The results of `_native.input_gradient`: whether weights were finite."""
    native, done = _native.input_gradient, []
    monkeypatch.setattr(
        _native,
        "input_gradient",
        lambda *args, **named: done.append(native(*args, **named)) or done[-1],
    )
    return done


@contextlib.contextmanager
def forced_dense():
    native = _native.gradient_prefers_dense
    _native.gradient_prefers_dense = lambda *arguments: True
    try:
        yield
    finally:
        _native.gradient_prefers_dense = native


class Hidden(nn.Module):
    """A hidden layer behind spikes whose gradient is known: ``self.to_spikes``."""

    def __init__(self, neuron=snn.Leaky, inputs=K, outputs=N, spike_grad=COMPACT[0], **options):
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Linear(inputs, outputs)
        options = {"beta": 0.9, **options} if neuron is snn.Leaky else options
        self.neuron = neuron(spike_grad=spike_grad, multi_step=True, **options)

    def run(self, spikes, current=lambda x: x):
        """The spikes, membranes and, by name, gradients for a fixed loss."""
        for x in (spikes, *self.parameters()):
            x.grad = None
        out, *states = self.neuron(current(self.linear(pack_if_binary(spikes))))
        return out, states

    def gradients(self, spikes, current=lambda x: x):
        out, _ = self.run(spikes, current)
        return self.of_loss(loss(out), spikes)

    def of_loss(self, value, spikes):
        value.backward()
        return [spikes.grad, *(x.grad for x in self.linear.parameters())]


def loss(out):
    weights = torch.linspace(-1, 2, out.numel()).sin().view(out.shape)
    return (out * weights).sum()


def some_spikes(steps=T, samples=B, inputs=K, dtype=torch.float32):
    torch.manual_seed(2)

    return (torch.rand(steps, samples, inputs) < 0.3).to(dtype).requires_grad_()


def assert_close(found, expected, tolerance=1e-5):
    for a, b in zip(found, expected, strict=True):
        scale = b.abs().max().item() + 1e-30
        torch.testing.assert_close(a.double(), b.double(), rtol=0, atol=tolerance * scale)


def dense_double(layer, spikes):
    """The gradients of the same layer in float64, which runs in torch."""
    double = spikes.detach().double().requires_grad_()
    linear = nn.Linear(*layer.linear.weight.shape[::-1], dtype=torch.float64)
    linear.load_state_dict(layer.linear.state_dict())
    out, *_ = layer.neuron.double()(linear(double))
    layer.neuron.float()
    loss(out).backward()
    return [double.grad, *(x.grad for x in linear.parameters())]


@pytest.mark.parametrize("spike_grad", COMPACT, ids=lambda x: x.NAME)
@pytest.mark.parametrize("reset", ["subtract", "none"])
@pytest.mark.parametrize("reset_delay", [True, False])
def test_it_is_the_gradient_of_the_dense_product(products, spike_grad, reset, reset_delay):
    layer = Hidden(spike_grad=spike_grad, reset_mechanism=reset, reset_delay=reset_delay)
    spikes = some_spikes()
    found = layer.gradients(spikes)
    assert products == [True]
    assert found[0].abs().max() > 0
    with forced_dense():
        others = layer.gradients(spikes)
    assert products == [True]
    assert_close(found, others, 2e-6)
    assert all(map(torch.equal, found[1:], others[1:]))  # Only the product of the input differs.


def test_it_is_the_gradient_in_double_precision(products):
    layer = Hidden(spike_grad=surrogate.boxcar(width=0.25))
    # Powers of two: no rounding decides who fires.
    with torch.no_grad():
        for x in layer.linear.parameters():
            x.copy_((x * 64).round() / 64)
        layer.neuron.beta.fill_(0.5)
    spikes = some_spikes(steps=20)
    found = layer.gradients(spikes)
    assert products == [True]
    assert_close(found, dense_double(layer, spikes))


@pytest.mark.parametrize(
    ("neuron", "options"),
    [(snn.PLIF, {"beta": 0.8}), (snn.Lapicque, {"beta": 0.8}), (snn.IF, {})],
)
def test_other_neurons_with_one_decay(products, neuron, options):
    layer = Hidden(neuron, **options)
    spikes = some_spikes()
    found = layer.gradients(spikes)
    assert products == [True]
    with forced_dense():
        assert_close(found, layer.gradients(spikes), 2e-6)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 12), st.integers(1, 4), st.integers(1, 140), st.integers(1, 140), st.booleans()
)
def test_any_shape(steps, samples, inputs, outputs, prefers):
    layer = Hidden(inputs=inputs, outputs=outputs)
    spikes = some_spikes(steps, samples, inputs)
    native = _native.gradient_prefers_dense
    _native.gradient_prefers_dense = lambda *arguments: prefers
    try:
        found = layer.gradients(spikes)
    finally:
        _native.gradient_prefers_dense = native
    with forced_dense():
        assert_close(found, layer.gradients(spikes), 3e-6)


@pytest.mark.parametrize(
    "options",
    [
        {"spike_grad": surrogate.atan()},
        {"spike_grad": surrogate.gaussian()},
        {"reset_mechanism": "zero"},
        {"beta": torch.full((N,), 0.9)},
        {"neuron": snn.Synaptic, "alpha": 0.8, "beta": 0.9},
        {"detach_reset": False},
    ],
    ids=str,
)
def test_what_is_no_filtered_error_has_a_dense_product(products, options):
    layer, spikes = Hidden(**options), some_spikes()
    found = layer.gradients(spikes)
    with forced_dense():
        assert all(map(torch.equal, found, layer.gradients(spikes)))
    assert not products


def test_many_errors_have_a_dense_product(products):
    Hidden(spike_grad=surrogate.boxcar(width=50.0)).gradients(some_spikes())
    assert not products


def test_few_rows_have_a_dense_product_and_list_nothing(products, monkeypatch):
    monkeypatch.setattr(_native, "error_decay", lambda *_: pytest.fail("errors are listed"))
    Hidden().gradients(some_spikes(steps=3))
    assert not products


def test_the_share_decides():
    words = torch.zeros(T, B, 2, dtype=torch.int64)
    shape = torch.Size((100, 512))
    assert not matmul.gradient_prefers_dense(words, T * B, shape)
    assert not matmul.gradient_prefers_dense(None, T * B, shape)
    assert matmul.gradient_prefers_dense(words - 1, T * B, shape)
    assert matmul.gradient_prefers_dense(None, 5, shape)


def test_a_loss_of_membranes_has_a_dense_product(products):
    layer, spikes = Hidden(), some_spikes()

    def run():
        out, (states,) = layer.run(spikes)
        return layer.of_loss(loss(out) + states.square().sum() / 9, spikes)

    found = run()
    with forced_dense():
        assert all(map(torch.equal, found, run()))
    assert not products


def test_two_readers_of_the_current_have_a_dense_product(products):
    layer, spikes = Hidden(), some_spikes()

    def run():
        seen = []
        out, _ = layer.run(spikes, lambda x: seen.append(x) or x)
        return layer.of_loss(loss(out) + seen[0].square().sum() / 9, spikes)

    found = run()
    with forced_dense():
        assert all(map(torch.equal, found, run()))
    assert not products


def hooked(hook):
    def current(x):
        x.register_hook(hook)
        return x

    return current


@pytest.mark.parametrize(
    "hook", [lambda grad: grad * 2, lambda grad: grad.mul_(2), lambda grad: grad[0].zero_()]
)
def test_hooks_that_change_the_gradient_are_heard(products, hook):
    if hook(torch.ones(2, 2)).shape != (2, 2):
        change = hook
        hook = lambda grad: (change(grad), None)[1]  # noqa: E731
    layer, spikes = Hidden(), some_spikes()
    found = layer.gradients(spikes, hooked(hook))
    with forced_dense():
        assert all(map(torch.equal, found, layer.gradients(spikes, hooked(hook))))
    assert not products


def test_hooks_that_look_on_change_nothing(products):
    layer, spikes, seen = Hidden(), some_spikes(), []
    expected = layer.gradients(spikes)

    def current(x):
        x.retain_grad()
        x.register_hook(lambda grad: seen.append((x, grad)) and None)
        return x

    assert all(map(torch.equal, layer.gradients(spikes, current), expected))
    assert products == [True, True]
    ((x, grad),) = seen
    assert torch.equal(x.grad, grad)


def test_operations_between_have_a_dense_product(products):
    Hidden().gradients(some_spikes(), lambda x: x * 1)
    assert not products


def test_errors_that_nobody_took_are_not_taken_for_others(products):
    layer, spikes, seen = Hidden(), some_spikes(), []
    expected = layer.gradients(spikes)[0]
    out, _ = layer.run(spikes, lambda x: seen.append(x) or x)
    torch.autograd.grad(loss(out), seen, retain_graph=True)
    (found,) = torch.autograd.grad(seen[0], [spikes], torch.ones(T, B, N), retain_graph=True)
    assert products == [True]
    assert_close([found], [(torch.ones(T, B, N) @ layer.linear.weight).detach()], 1e-6)
    assert torch.equal(torch.autograd.grad(loss(out), [spikes])[0], expected)
    assert products == [True, True]


def test_again_through_a_retained_graph(products):
    layer, spikes = Hidden(), some_spikes()
    out, _ = layer.run(spikes)
    value = loss(out)
    (first,) = torch.autograd.grad(value, [spikes], retain_graph=True)
    (second,) = torch.autograd.grad(value, [spikes], retain_graph=True)
    assert torch.equal(first, second)
    assert products == [True, True]


def test_second_derivatives_are_of_the_dense_product(products):
    layer, spikes = Hidden(), some_spikes()
    expected = layer.gradients(spikes)[0]
    assert products.pop()
    out, _ = layer.run(spikes)
    (found,) = torch.autograd.grad(loss(out), [spikes], create_graph=True)
    assert found.requires_grad
    assert_close([found], [expected], 1e-5)
    assert not products


def test_anomaly_mode(products):
    layer, spikes = Hidden(), some_spikes()
    expected = layer.gradients(spikes)
    with pytest.warns(UserWarning, match="Anomaly"), torch.autograd.detect_anomaly():
        assert all(map(torch.equal, layer.gradients(spikes), expected))
    assert products == [True, True]


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoints(products, reentrant):
    layer, spikes = Hidden(), some_spikes()
    expected = layer.gradients(spikes)
    bits = pack_if_binary(spikes)
    spikes.grad = None
    run = lambda x: layer.neuron(layer.linear(x))[0]  # noqa: E731
    loss(checkpoint(run, bits, use_reentrant=reentrant)).backward()
    assert_close([spikes.grad], expected[:1], 1e-6)


def test_a_mode_sees_the_dense_product(products):
    layer, spikes = Hidden(), some_spikes()
    out, _ = layer.run(spikes)
    value = loss(out)
    with FlopCounterMode(display=False) as counter:
        value.backward()
    assert counter.get_total_flops() >= 2 * T * B * N * K
    assert not products


def test_compiled_networks_have_the_same_gradient():
    layer, spikes = Hidden(), some_spikes()
    expected = layer.gradients(spikes)
    torch._dynamo.reset()
    step = torch.compile(lambda x: loss(layer.neuron(layer.linear(x))[0]), backend="aot_eager")
    spikes.grad = None
    step(spikes).backward()
    assert_close([spikes.grad], expected[:1], 1e-5)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_have_a_dense_product(products, bad):
    layer, spikes = Hidden(), some_spikes()
    with torch.no_grad():
        layer.linear.weight[3, 5] = bad
    found = layer.gradients(spikes)
    assert products == [False]
    with forced_dense():
        others = layer.gradients(spikes)
    torch.testing.assert_close(found, others, rtol=0, atol=0, equal_nan=True)
    assert found[0][..., 5].isnan().any()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_gradients_that_are_not_finite_arrive(products, bad):
    layer, spikes = Hidden(), some_spikes()

    def run():
        out, _ = layer.run(spikes)
        factor = torch.ones(out.shape)
        factor[T // 2] = bad
        return layer.of_loss((out * factor).sum(), spikes)

    found = run()[0]
    assert products == [True]
    with forced_dense():
        expected = run()[0]
    assert torch.equal(found.isfinite(), expected.isfinite())
    assert not found.isfinite().all()
    assert found[T // 2 + 1 :].isfinite().all()
