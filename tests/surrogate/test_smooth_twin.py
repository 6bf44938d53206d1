"""Finite differences of networks with primitives in place of steps."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import surrogate
from helpers.compare import RESETS, SURROGATES
from helpers.smooth import Smooth


# Where the reset depends on a detached spike, finite differences see what is detached.
@pytest.mark.parametrize("mechanism, delay", [r for r in RESETS if r != ("zero", False)])
@pytest.mark.parametrize(
    "kind", [surrogate.ATan(), surrogate.FastSigmoid(3), surrogate.Sigmoid(3), surrogate.Gaussian()]
)
def test_every_reset(kind, mechanism, delay, monkeypatch):
    passes_gradcheck(kind, mechanism, delay, monkeypatch)


# Under an immediate subtraction the gradient takes every path there is.
@pytest.mark.parametrize("kind", (*SURROGATES, surrogate.ATan(normalized=True)), ids=str)
def test_every_surrogate(kind, monkeypatch):
    passes_gradcheck(kind, "subtract", False, monkeypatch)


def passes_gradcheck(kind, mechanism, delay, monkeypatch):
    """Finite differences of a network with primitives in place of steps see our gradients."""
    # The reset flag is detached as well, so it must not depend on the inputs.
    monkeypatch.setattr(
        snn.SpikingNeuron, "mem_reset", lambda self, mem: torch.arange(mem.shape[-1]).double() % 2
    )
    neuron = snn.Leaky(
        beta=torch.tensor([0.8, 0.6, 0.9]),
        threshold=0.6,
        graded_spikes_factor=1.2,
        spike_grad=lambda x: Smooth.apply(x, kind),
        reset_mechanism=mechanism,
        reset_delay=delay,
        learn_beta=True,
        learn_threshold=True,
        learn_graded_spikes_factor=True,
    )
    net = nn.ModuleList([nn.Linear(2, 3), neuron]).double()
    names = [name for name, _ in net.named_parameters()]

    def outputs(x, *parameters):
        values = dict(zip(names, parameters, strict=True))
        weight, bias = values["0.weight"], values["0.bias"]
        constants = {name[2:]: value for name, value in values.items() if name[0] == "1"}
        mem = torch.zeros(1, 3, dtype=torch.float64)
        out = []
        for current in x.unbind(0):
            current = nn.functional.linear(current, weight, bias)
            spikes, mem = torch.func.functional_call(neuron, constants, (current, mem))
            out += [spikes, mem]
        return torch.stack(out)

    x = torch.randn(4, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(outputs, (x, *net.parameters()))
