"""Finite differences of every neuron, with a smooth function in place of the step, see autograd's
gradients: the specification, which kernels are held against, is differentiated as intended.
"""

import pytest
import torch

import bitspike as snn
from bitspike import surrogate
from helpers.cases import CASES

SMOOTH = surrogate.ATan(0.5)
LAYERS = [
    pytest.param(case, *reset, id=f"{case}, {reset[0]}{'' if reset[1] else ' at once'}")
    for case in CASES
    for reset in case.resets()
    # Its reset depends on a detached spike, which finite differences see.
    if reset != ("zero", False)
]


@pytest.mark.parametrize("case, reset, delay", LAYERS)
def test_gradcheck(case, reset, delay, monkeypatch):
    # The reset flag is detached, so it must not depend on the inputs.
    flags = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    monkeypatch.setattr(snn.SpikingNeuron, "mem_reset", lambda self, mem: flags)
    neuron = case.neuron(3, reset, delay, spike_grad=SMOOTH.primitive).double()
    x, initial = case.inputs(4, 2, 3)
    names = [name for name, _ in neuron.named_parameters()]

    def outputs(x, *others):
        states = others[: len(initial)]
        parameters = dict(zip(names, others[len(initial) :], strict=True))
        results = []
        for current in x:
            spikes, states = torch.func.functional_call(
                _Step(neuron), {f"neuron.{k}": v for k, v in parameters.items()}, (current, states)
            )
            results += [spikes, *states]
        return torch.stack(results)

    inputs = [y.double().requires_grad_() for y in (x, *initial)]
    parameters = [p.detach().clone().requires_grad_() for p in neuron.parameters()]
    assert len(names) >= len(case.learned)
    assert torch.autograd.gradcheck(outputs, (*inputs, *parameters))


class _Step(torch.nn.Module):
    """A module whose call is the neuron's step."""

    def __init__(self, neuron):
        super().__init__()
        self.neuron = neuron

    def forward(self, current, states):
        return self.neuron.step(current, *states)
