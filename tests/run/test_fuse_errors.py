"""Gradients of convolutions' inputs from errors, in a stack, against torch's dense convolutions."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import surrogate
from bitspike.ops import _native, conv
from bitspike.ops.call import Errors
from helpers.compare import error
from helpers.stacks import apart, lif, lively, spikes

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("small_blocks", "gathers")]

COMPACT = surrogate.triangle(0.3)
STRIDED = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 3}


def pooled(**options):
    """Behind a pool, few spikes have a gradient, whatever the surrogate is."""
    return nn.Sequential(
        *(nn.Conv2d(2, 9, 3), lif(), nn.MaxPool2d(2), nn.Conv2d(9, 7, 3, padding=1)),
        *(lif(**options), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(7 * 9, 5), lif()),
    )


def strided(**options):
    return nn.Sequential(
        nn.Conv2d(2, 9, 3), lif(), nn.Conv2d(9, 6, (3, 2), **STRIDED), lif(**options)
    )


def of_lines(**options):
    """Convolutions of one dimension."""
    return nn.Sequential(
        nn.Conv1d(28, 9, 3), lif(), nn.Conv1d(9, 6, 5, padding=1), lif(**options), nn.Flatten()
    )


@pytest.fixture
def products(monkeypatch):
    """Whether each gradient that was to come from errors did; few of them are less than half."""
    native, done = _native.convolve_input_gradient, []

    def counted(*arguments, **options):
        done.append(native(*arguments, **options))
        return done[-1]

    monkeypatch.setattr(_native, "convolve_input_gradient", counted)
    prefers_dense = "convolve_gradient_prefers_dense"
    monkeypatch.setattr(_native, prefers_dense, lambda share, *_: share > 0.5)
    return done


def gradients(run, net, x):
    """Those of a loss that reads spikes alone."""
    for neuron in net.modules():
        if isinstance(neuron, snn.SpikingNeuron):
            neuron._clear_states()
    x = x.detach().requires_grad_()
    out = run(x)
    loss = (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum()
    return torch.autograd.grad(loss, [x, *net.parameters()])


def found_as_by_torch(net, x):
    ours, theirs = (gradients(run, net, x) for run in (snn.fuse(net), lambda x: apart(net, x)))
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape and error(a, b) < 1e-5


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (pooled, {}),
        (pooled, {"spike_grad": COMPACT}),
        (strided, {"spike_grad": COMPACT}),
        (strided, {"spike_grad": COMPACT, "reset_mechanism": "none"}),
        (of_lines, {"spike_grad": surrogate.boxcar(0.2)}),
    ],
    ids=lambda x: getattr(x, "__name__", str(x)),
)
def test_gradients_of_errors_are_those_of_dense_convolutions(network, options, products):
    shape = (28, 14) if network is of_lines else (2, 14, 14)
    found_as_by_torch(lively(network(**options)), spikes(6, 11, *shape))
    assert products and all(products)


@pytest.mark.parametrize(
    ("network", "options"),
    [
        (strided, {}),
        (strided, {"spike_grad": surrogate.triangle(50.0)}),
        (strided, {"spike_grad": COMPACT, "reset_mechanism": "zero"}),
        (strided, {"spike_grad": COMPACT, "beta": torch.linspace(0.5, 0.9, 6).view(6, 1, 1)}),
    ],
    ids=lambda x: getattr(x, "__name__", str(x)),
)
def test_many_errors_and_other_neurons_have_dense_convolutions(network, options, products):
    found_as_by_torch(lively(network(**options)), spikes(6, 11, 2, 14, 14))
    assert not products


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_have_a_dense_convolution(bad, products):
    described = conv.Convolution(1, (4, 4), 40, 1, (3, 3), (1, 1), (1, 1), (1, 1))
    grad, weight = torch.randn(3, 2, 40, 4, 4), torch.randn(40, 1, 3, 3)
    weight[3, 0, 1, 2] = bad
    silent = Errors(torch.zeros(3, 2, 10, dtype=torch.int64), torch.zeros(2, 10, 64 * 3), 0.5)
    found = conv.filtered_input_gradient(described, grad, silent, weight)
    expected = conv.input_gradient(described, grad.flatten(0, 1), weight)
    assert products == [False]
    assert torch.equal(found.isnan(), expected.isnan()) and not expected.isfinite().all()


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
def test_any_number_of_threads(threads, products):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found_as_by_torch(lively(pooled(spike_grad=COMPACT)), spikes(6, 11, 2, 14, 14))
    finally:
        torch.set_num_threads(before)
    assert products and all(products)
