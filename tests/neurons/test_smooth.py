"""Finite differences of neurons with smooth spikes see the gradients of their steps."""

import pytest
import torch
from cases import CASES
from test_surrogate import Smooth

import bitspike as snn
from bitspike import surrogate


@pytest.mark.parametrize("case", CASES, ids=str)
def test_smooth_twin_passes_gradcheck(case, monkeypatch):
    # The reset flag is detached, so it must not depend on the inputs.
    monkeypatch.setattr(
        snn.SpikingNeuron, "mem_reset", lambda self, mem: torch.arange(mem.shape[-1]).double() % 2
    )
    kind = surrogate.ATan()
    neuron = case.neuron(3, case.kind.RESETS[0], True)
    neuron.spike_grad = lambda x: Smooth.apply(x, kind)
    neuron = neuron.double()
    x, initial = case.inputs(4, 3)
    names = [name for name, _ in neuron.named_parameters()]

    def outputs(x, *rest):
        states = rest[: len(initial)]
        constants = dict(zip(names, rest[len(initial) :], strict=True))
        spikes, *states = torch.func.functional_call(neuron, constants, (x, *states))
        return torch.stack([spikes, *states])

    inputs = [y.double().requires_grad_() for y in (x, *initial)]
    assert torch.autograd.gradcheck(outputs, (*inputs, *neuron.parameters()))
