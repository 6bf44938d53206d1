"""A hidden layer, of whose input the gradient is looked at."""

import contextlib

import torch
from torch import nn

import bitspike as snn
from bitspike import surrogate
from bitspike.ops import _native
from bitspike.spikes.pack import pack_if_binary

T, B, K, N = 40, 3, 90, 70
COMPACT = [
    surrogate.triangle(width=0.3),
    surrogate.boxcar(width=0.2),
    surrogate.piecewise_quadratic(alpha=4.0),
    surrogate.SparseFastSigmoid(slope=25.0, B=0.2),
]


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
