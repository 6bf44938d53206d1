"""Batches of gradients, and gradients of gradients, through operations on packed spikes."""

import pytest
import torch
from torch.nn import functional as F

import bitspike as snn

STEPS, SAMPLES = 4, 2
TARGETS = torch.tensor([1, 0])
LAYER, KERNEL = torch.randn(3, 72), torch.randn(3, 2, 3, 3)

# Names of operations on spikes [T, B, 2, 6, 6].
OPERATIONS = {
    "linear": lambda spikes: F.linear(spikes.flatten(2), LAYER),
    "matmul": lambda spikes: spikes.flatten(2) @ LAYER.t(),
    "conv2d": lambda spikes: F.conv2d(spikes.flatten(0, 1), KERNEL),
    "max_pool2d": lambda spikes: F.max_pool2d(spikes.flatten(0, 1), 2) * 1.0,
    "avg_pool2d": lambda spikes: F.avg_pool2d(spikes, 2),
    "sum": lambda spikes: spikes.sum(0),
    "times": lambda spikes: snn.functional.ce_temporal_loss()(spikes.flatten(2), TARGETS),
}


@pytest.fixture(params=OPERATIONS)
def operation(request):
    return OPERATIONS[request.param]


def test_batches_of_gradients_are_the_gradients_one_by_one(operation):
    x = torch.randn(STEPS, SAMPLES, 2, 6, 6, requires_grad=True)
    spikes, _ = snn.Leaky(beta=0.9, multi_step=True)(x)
    assert isinstance(spikes, snn.SpikeTensor)
    y = operation(spikes)
    rows = torch.randn(3, *y.shape)
    (batched,) = torch.autograd.grad(y, x, rows, is_grads_batched=True, retain_graph=True)
    wanted = [torch.autograd.grad(y, x, row, retain_graph=True)[0] for row in rows]
    assert batched.abs().max() > 0
    assert torch.allclose(batched, torch.stack(wanted), rtol=1e-5, atol=1e-6)


def test_batches_of_gradients_of_weights():
    spikes = snn.SpikeTensor.from_dense((torch.rand(5, 3, 10) < 0.3).float())
    weight, bias = torch.randn(4, 10, requires_grad=True), torch.randn(4, requires_grad=True)
    y = F.linear(spikes, weight, bias)
    rows = torch.randn(3, *y.shape)
    learned = (weight, bias)
    batched = torch.autograd.grad(y, learned, rows, is_grads_batched=True, retain_graph=True)
    wanted = [torch.autograd.grad(y, learned, row, retain_graph=True) for row in rows]
    for found, rows in zip(batched, zip(*wanted, strict=True), strict=True):
        assert torch.allclose(found, torch.stack(rows), rtol=1e-5, atol=1e-6)


def test_a_gradient_can_be_differentiated_by_the_gradient_it_was_made_of(operation):
    """The sum of its squares, which is a quadratic function of that."""
    spikes = snn.SpikeTensor.from_dense((torch.rand(STEPS, SAMPLES, 2, 6, 6) < 0.3).float())
    y = operation(spikes.requires_grad_())
    upstream = torch.randn(y.shape, dtype=torch.float32, requires_grad=True)
    (grad,) = torch.autograd.grad(y, spikes, upstream, create_graph=True)
    energy = grad.square().sum()
    (slope,) = torch.autograd.grad(energy, upstream)
    assert energy > 0
    assert torch.allclose((slope * upstream).sum(), 2 * energy, rtol=1e-4)
