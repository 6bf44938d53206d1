"""What a neuron saw is changed in place before backward, as programs for snnTorch may do."""

import pytest
import snntorch
import torch
from torch import nn

import bitspike as snn
from helpers.cases import CASES

NEURONS = {
    "Leaky": dict(beta=0.9),
    "Synaptic": dict(alpha=0.7, beta=0.9),
    "Lapicque": dict(beta=0.9),
    "RLeaky": dict(beta=0.9, V=0.3, all_to_all=False, learn_recurrent=False),
    "RSynaptic": dict(alpha=0.7, beta=0.9, V=0.3, all_to_all=False, learn_recurrent=False),
}


def current_reused(library, name):
    fc, neuron = nn.Linear(6, 5), getattr(library, name)(**NEURONS[name], init_hidden=True)
    total = 0
    for _ in range(4):
        current = fc(torch.full((2, 6), 2.0))
        total = total + neuron(current).sum()
        current += 1
        total = total + current.sum()
    return fc, total


def state_buffers(library, name):
    fc, neuron = nn.Linear(6, 5), getattr(library, name)(**NEURONS[name])
    total, states = 0, [torch.zeros(2, 5) for _ in getattr(snn, name).STATES]
    for _ in range(4):
        spikes, *new = neuron(fc(torch.full((2, 6), 2.0)), *states)
        new = [spikes, *new] if name.startswith("R") else new
        for state, value in zip(states, new, strict=True):
            state.copy_(value.detach())
        total = total + spikes.sum()
    return fc, total


def homeostasis(library, name):
    arguments = NEURONS[name] | dict(threshold=torch.ones(5), init_hidden=True)
    fc, neuron = nn.Linear(6, 5), getattr(library, name)(**arguments)
    total = 0
    for _ in range(4):
        spikes = neuron(fc(torch.full((2, 6), 2.0)))
        total = total + spikes.sum()
        with torch.no_grad():
            neuron.threshold += 0.05 * spikes.mean(0)
    return fc, total


@pytest.mark.parametrize("name", NEURONS)
@pytest.mark.parametrize("program", [current_reused, state_buffers, homeostasis])
def test_programs_for_snntorch_train(program, name):
    grads = []
    for library in (snntorch, snn):
        torch.manual_seed(0)
        fc, total = program(library, name)
        total.backward()
        grads.append(fc.weight.grad)
    assert grads[0].count_nonzero()
    assert torch.allclose(*grads, rtol=1e-4, atol=1e-5)


def gradients(case, multi, changed=()):
    """Gradients of all inputs, which are changed in place between forward and backward."""
    torch.manual_seed(1)
    neuron = case.neuron(3, case.kind.RESETS[0], True, learn=False, multi_step=multi)
    for x in neuron.parameters():
        x.requires_grad_(False)
    x, initial = case.inputs(5, 2, 3)
    leaves = [leaf.requires_grad_() for leaf in (x if multi else x[0], *initial)]
    copies = [leaf * 1 for leaf in leaves]
    given = (copies[0], tuple(copies[1:])) if case.kind is snn.DeltaLeaky else copies
    spikes, *states = neuron(*given)
    states = states[0] if case.kind is snn.DeltaLeaky else states
    loss = (spikes * 1).sum() + sum(state.square().sum() for state in states)
    for index in changed:
        copies[index].zero_()
    if "threshold" in changed:
        neuron.firing_threshold().zero_()
    return torch.autograd.grad(loss, leaves, allow_unused=True)


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("multi", [False, True])
def test_all_that_a_step_saw_and_the_states_of_a_sequence_may_change(case, multi):
    states = range(1, 1 + len(case.kind.STATES))
    changed = [*states] if multi else [0, *states]
    for one, other in zip(gradients(case, multi), gradients(case, multi, changed), strict=True):
        assert one is other is None or torch.equal(one, other)


@pytest.mark.parametrize("multi", [False, True])
def test_a_threshold_may_be_adapted_by_hand(multi):
    grads = []
    for factor in (1, 3):
        x = torch.full((4, 2, 3), 0.6, requires_grad=True)
        lif = snn.Leaky(beta=0.9, threshold=torch.full((3,), 0.7), multi_step=multi)
        spikes = lif(x if multi else x[0])[0] * 1
        lif.threshold *= factor
        grads.append(torch.autograd.grad(spikes.sum(), x)[0])
    assert torch.equal(*grads)


@pytest.mark.parametrize(
    "neuron",
    [
        snn.Leaky(beta=0.9, multi_step=True),
        snn.RLeaky(beta=0.9, linear_features=3, multi_step=True),
    ],
    ids=["Leaky", "RLeaky"],
)
def test_the_input_of_a_whole_sequence_may_not_change_and_the_error_says_so(neuron):
    x = torch.rand(4, 2, 3, requires_grad=True) * 2
    spikes, _ = neuron(x)
    x += 1
    with pytest.raises(RuntimeError, match="changed in place before backward.*clone"):
        (spikes * 1).sum().backward()


def test_nothing_is_copied_where_nothing_is_learned():
    lif, x = snn.Leaky(beta=0.9), torch.rand(2, 3)
    spikes, mem = lif(x)
    assert spikes.grad_fn is None and mem.grad_fn is None
