"""The gradient of an input from few errors, where others look at that of the current too."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from bitspike.spikes.pack import pack_if_binary
from helpers.hidden import B, Hidden, K, N, T, assert_close, forced_dense, loss, some_spikes


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
