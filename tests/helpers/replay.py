"""Running a neuron natively, in torch, or in torch and float64 with the spikes of float32."""

import copy

import torch
from torch import Tensor

from bitspike.neurons.base.run import run_reference


def run(neuron, x: Tensor, initial: list[Tensor], reference: bool = False) -> list[Tensor]:
    """Spikes, then each state over all steps, then each last state."""
    if reference:
        spikes, states, last = run_reference(neuron, x, initial, True, True)
    else:
        assert neuron.native_refusal(x) is None
        spikes, states, last = neuron.run(x, initial, sequence=True, states=True)
    return [spikes, *states, *last]


class Recorder:
    """A surrogate that notes where it was asked, and which spikes it fired."""

    def __init__(self, surrogate_):
        self.surrogate, self.calls = surrogate_, []

    def __call__(self, x):
        spikes = self.surrogate(x)
        self.calls.append((x.double(), spikes.double()))
        return spikes


class Replay(torch.autograd.Function):
    """The firing step in float64 with the spikes, and distances to threshold, of float32."""

    @staticmethod
    def forward(ctx, x, recorder):
        ctx.recorded, spikes = recorder.calls.pop(0)
        ctx.surrogate = recorder.surrogate
        return spikes

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.surrogate.derivative(ctx.recorded), None


def specification(neuron, x: Tensor, initial: list[Tensor], spread: bool = True):
    """The neuron's torch steps in float64 with the spikes of float32, and their inputs.

    If ``spread``, each neuron has learned constants of its own, so that what they contribute to one
    shows.
    """
    twin = copy.deepcopy(neuron)
    twin.spike_grad = recorder = Recorder(neuron.spike_grad)
    with torch.no_grad():
        run(twin, x, initial, reference=True)
    twin = twin.double()
    for name, value in list(twin.named_parameters()) if spread else ():
        setattr(twin, name, torch.nn.Parameter(value.detach().expand(x.shape[1:]).clone()))
    twin.spike_grad = lambda x: Replay.apply(x, recorder)
    inputs = [y.double().requires_grad_() for y in (x, *initial)]
    return [*inputs, *twin.parameters()], run(twin, inputs[0], inputs[1:], reference=True)
