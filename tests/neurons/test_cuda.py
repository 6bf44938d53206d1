"""Neurons on a GPU: the torch path, with the numbers of the CPU."""

import copy

import pytest
import torch

from helpers.cases import CASES

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


def trained(neuron, x, initial, weights):
    """Spikes, states and gradients of a layer, on the CPU."""
    x = x.detach().clone().requires_grad_()
    outputs = neuron.run(x, list(initial), sequence=True, states=True)
    tensors = (outputs[0], *outputs[1], *outputs[2])
    loss = sum((out * weight).sum() for out, weight in zip(tensors, weights, strict=False))
    loss.backward()
    gradients = [p.grad for p in neuron.parameters() if p.grad is not None]
    return [t.detach().cpu() for t in (*tensors, x.grad, *gradients)]


@pytest.mark.filterwarnings("ignore::bitspike.ReferencePathWarning")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_gpu_computes_what_the_cpu_does(case):
    # In float64, in which no membrane is so close to threshold that rounding decides.
    neuron = case.neuron(7, *case.resets()[0]).double()
    x, initial = case.inputs(12, 3, 7)
    x, initial = x.double(), [state.double() for state in initial]
    outputs = 1 + 2 * len(initial)
    weights = [torch.randn_like(x) for _ in range(outputs)]
    weights[-len(initial) :] = [torch.randn_like(state) for state in initial]
    wanted = trained(copy.deepcopy(neuron), x, initial, weights)
    found = trained(
        copy.deepcopy(neuron).cuda(),
        x.cuda(),
        [state.cuda() for state in initial],
        [weight.cuda() for weight in weights],
    )
    assert len(found) == len(wanted) and wanted[0].count_nonzero()
    for got, want in zip(found, wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_steps_with_hidden_state(case):
    """Modules move with their states, and say nothing of the kernels, which have no part there."""
    neuron = case.neuron(7, *case.resets()[0], learn=False, init_hidden=True, multi_step=False)
    neuron.cuda()
    x, _ = case.inputs(4, 3, 7)
    for step in x.cuda():
        spikes = neuron(step)
        spikes = spikes[0] if isinstance(spikes, tuple) else spikes
    assert spikes.is_cuda and type(spikes) is torch.Tensor
    assert all(getattr(neuron, name).is_cuda for name in neuron.STATES)
    assert not any(getattr(neuron.cpu(), name).is_cuda for name in neuron.STATES)
