"""The gradient of a linear layer's input from few errors: when, how exactly, and when not."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike import surrogate
from bitspike.ops import _native, matmul
from helpers.hidden import COMPACT, B, Hidden, N, T, assert_close, forced_dense, loss, some_spikes


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
