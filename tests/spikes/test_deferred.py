"""The weight gradients of a loop over time, which are computed at once, behind the loop."""

import gc
import threading
import weakref

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import bitspike as snn
from bitspike.spikes import deferred

STEPS, BATCH = 6, 32


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return nn.Linear(200, 64)


@pytest.fixture
def x():
    torch.manual_seed(1)
    return (torch.rand(STEPS, BATCH, 200) < 0.05).float()


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """How many rows each product for a gradient of weights has."""
    rows = []
    real = deferred.matmul.linear_gradient

    def count(words, *arguments):
        rows.append(len(words))
        return real(words, *arguments)

    monkeypatch.setattr(deferred.matmul, "linear_gradient", count)
    return rows


def loop(layer, x):
    """The sum of the layer's outputs over time, each times another weight."""
    spikes = x.as_subclass(snn.DenseSpikes)
    scale = torch.linspace(1, 2, len(x) * 64).view(len(x), 1, 64)
    return sum((layer(spikes[t]) * scale[t]).sum() for t in range(len(x)))


def wanted(layer, x):
    """The gradients of `loop`, in float64."""
    scale = torch.linspace(1, 2, len(x) * 64).view(len(x), 1, 64).double()
    grad = scale.expand(-1, x.shape[1], -1)
    return torch.einsum("tbn,tbm->nm", grad, x.double()), grad.sum((0, 1))


def assert_near(found, expected):
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-4)


def test_one_product_for_all_steps(layer, x, counted):
    loop(layer, x).backward()
    assert counted == [STEPS * BATCH]
    assert_near([layer.weight.grad, layer.bias.grad], wanted(layer, x))


def test_one_step_is_not_copied(layer, x, counted, monkeypatch):
    monkeypatch.setattr(torch, "cat", None)
    loop(layer, x[:1]).backward()
    assert counted == [BATCH]
    assert_near([layer.weight.grad, layer.bias.grad], wanted(layer, x[:1]))


def test_sums_are_those_of_the_whole_sequence(layer, x):
    loop(layer, x).backward()
    found = layer.weight.grad
    layer.zero_grad()
    packed = snn.SpikeTensor.from_dense(x)
    scale = torch.linspace(1, 2, STEPS * 64).view(STEPS, 1, 64)
    (layer(packed) * scale).sum().backward()
    assert torch.equal(layer.weight.grad, found)


def test_many_rows_do_not_wait(layer, x, counted, monkeypatch):
    monkeypatch.setattr(deferred, "ROWS", 2 * BATCH)
    loop(layer, x).backward()
    assert counted == [2 * BATCH] * 3
    assert_near([layer.weight.grad, layer.bias.grad], wanted(layer, x))


def test_gradients_accumulate_and_graphs_are_kept(layer, x):
    first = loop(layer, x)
    first.backward(retain_graph=True)
    first.backward()
    loop(layer, x).backward()
    assert_near([layer.weight.grad, layer.bias.grad], [3 * y for y in wanted(layer, x)])


def test_a_changed_weight(layer, x):
    loop(layer, x).backward()
    with torch.no_grad():
        layer.weight += 1
    layer.zero_grad()
    loop(layer, x).backward()
    assert_near([layer.weight.grad, layer.bias.grad], wanted(layer, x))


@pytest.mark.parametrize("names", [("weight",), ("bias",), ("bias", "weight")], ids="+".join)
def test_some_gradients(layer, x, names):
    expected = dict(zip(("weight", "bias"), wanted(layer, x), strict=True))
    inputs = [getattr(layer, name) for name in names]
    assert_near(torch.autograd.grad(loop(layer, x), inputs), [expected[name] for name in names])


@pytest.mark.parametrize("frozen", ["weight", "bias"])
def test_a_frozen_parameter(layer, x, frozen):
    getattr(layer, frozen).requires_grad_(False)
    loop(layer, x).backward()
    expected = dict(zip(("weight", "bias"), wanted(layer, x), strict=True))
    (other,) = {"weight", "bias"} - {frozen}
    assert getattr(layer, frozen).grad is None
    assert_near([getattr(layer, other).grad], [expected[other]])


def test_without_bias(x):
    layer = nn.Linear(200, 64, bias=False)
    loop(layer, x).backward()
    assert_near([layer.weight.grad], wanted(layer, x)[:1])


def test_a_weight_that_is_used_elsewhere(layer, x):
    (loop(layer, x) + 3 * layer.weight.sum()).backward()
    of_weight, of_bias = wanted(layer, x)
    assert_near([layer.weight.grad, layer.bias.grad], [of_weight + 3, of_bias])


def test_a_weight_that_is_computed(layer, x, counted):
    nn.utils.parametrizations.weight_norm(layer)
    loop(layer, x).backward()
    assert counted == [BATCH] * STEPS  # each step has a weight of its own
    assert all(p.grad is not None and p.grad.count_nonzero() for p in layer.parameters())


def test_gradients_of_gradients(layer, x):
    loss = loop(layer, x).square()
    grads = torch.autograd.grad(loss, [layer.weight], create_graph=True)
    (twice,) = torch.autograd.grad(grads[0].sum(), [layer.weight])
    of_weight, _ = wanted(layer, x)
    assert_near([twice], [2 * of_weight * of_weight.sum()])


def test_under_checkpoint(layer, x):
    checkpoint(loop, layer, x, use_reentrant=False).backward()
    assert_near([layer.weight.grad, layer.bias.grad], wanted(layer, x))


def test_backward_in_threads(layer, x):
    """One node, and each backward pass has the rows of its own graph."""
    losses = [loop(layer, x[: t + 1]) for t in range(STEPS)]
    found = {}

    def run(t):
        found[t] = torch.autograd.grad(losses[t], [layer.weight, layer.bias])

    threads = [threading.Thread(target=run, args=(t,)) for t in range(STEPS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for t in range(STEPS):
        scale = torch.linspace(1, 2, (t + 1) * 64).view(t + 1, 1, 64).double()
        grad = scale.expand(-1, BATCH, -1)
        expected = torch.einsum("tbn,tbm->nm", grad, x[: t + 1].double()), grad.sum((0, 1))
        assert_near(found[t], expected)


def test_the_node_goes_with_its_graph(layer, x):
    loss = loop(layer, x)
    node = weakref.ref(deferred.node_of(layer.weight, layer.bias))
    assert node() is not None
    del loss
    gc.collect()
    assert node() is None


def test_gradients_of_gradients_reach_the_floats(layer):
    # Spikes that are made of a tensor by a surrogate, and have a linear layer behind them.
    def output(fire, mem):
        current = layer(fire(mem).as_subclass(snn.DenseSpikes))
        assert current.grad_fn.name().startswith("LinearOfFloats") == snn.DenseSpikes.packs
        return current.square().sum()

    mem = torch.linspace(-1, 0.1, BATCH * 200).view(BATCH, 200).requires_grad_()
    fire = snn.surrogate.atan()
    results = []
    for packs in (True, False):
        snn.DenseSpikes.packs = packs
        try:
            (first,) = torch.autograd.grad(output(fire, mem), [layer.weight], create_graph=True)
            results.append(torch.autograd.grad(first.square().sum(), [mem, layer.weight]))
        finally:
            snn.DenseSpikes.packs = True
    for found, expected in zip(*results, strict=True):
        assert expected.count_nonzero() > 0
        assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
