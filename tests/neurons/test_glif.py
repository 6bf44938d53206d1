"""The gated neuron: what it is with gates at 0 and 1, and its published equations between."""

import copy

import pytest
import torch

import bitspike as snn
from bitspike import surrogate
from helpers.compare import dense
from helpers.firing import trace

T, C = 6, 3
GATES = dict(alpha=1.0, beta=0.0, gamma=0.0, decay=0.5, leak=0.0, v_sub=0.75, threshold=0.75)


def published(x, parts, threshold, spike):
    """Equations of Yao et al. (2022), with numbers ``[C]`` for inputs ``[T, B, C]``."""
    alpha, beta, gamma, decay, leak, v_sub, conductance = parts
    u, s = torch.zeros_like(x[0]), torch.zeros_like(x[0])
    spikes = []
    for t, current in enumerate(x):
        charge = current * (1 - beta * (1 - conductance[t]))
        kept = u * (1 - alpha * (1 - decay))
        u = kept - (1 - alpha) * leak + charge - gamma * kept * s - (1 - gamma) * v_sub * s
        s = spike(u - threshold)
        spikes.append(s)
    return torch.stack(spikes)


def random_neuron(**options):
    neuron = snn.GLIF(T, C, multi_step=True, **options)
    with torch.no_grad():
        for p in neuron.parameters():
            p.add_(torch.rand_like(p) / 4)
    return neuron


def test_trace_by_hand():
    neuron = snn.GLIF(2, alpha=0.5, beta=0.5, gamma=0.5, decay=0.5, conductance=0.5, threshold=0.5)
    spikes, states = trace(neuron, [1.0, 1.0], 0, 0)
    # l = 1/8, v = 1/2; an input counts 3/4, and of a membrane 3/4 is kept.
    # -1/16 + 3/4; then (3/4 - 3/8)·0.6875 - 1/16 + 3/4 - 1/4.
    assert spikes == [1, 1]
    assert [pair[1] for pair in states] == pytest.approx([0.6875, 0.6953125])


TWINS = {
    "leaky, subtract": ({}, lambda **k: snn.Leaky(0.5, **k)),
    "leaky, zero": (dict(gamma=1.0), lambda **k: snn.Leaky(0.5, reset_mechanism="zero", **k)),
    "if, subtract": (dict(alpha=0.0), lambda **k: snn.IF(**k)),
    "if, zero": (dict(alpha=0.0, gamma=1.0), lambda **k: snn.IF(reset_mechanism="zero", **k)),
}


@pytest.mark.parametrize("name", TWINS)
def test_gates_at_zero_and_one(name):
    gates, twin = TWINS[name]
    x = torch.randint(-4, 9, (T, 8, C)) / 8
    spikes, _, mem = snn.GLIF(T, C, multi_step=True, **GATES | gates)(x)
    wanted, membrane = twin(threshold=0.75, multi_step=True)(x)
    assert 0.1 < dense(wanted).mean() < 0.9
    assert torch.equal(dense(spikes), dense(wanted)) and torch.equal(mem, membrane)
    _, _, other = snn.GLIF(T, C, multi_step=True, **GATES | gates | dict(leak=0.125, alpha=0.5))(x)
    assert (other - membrane).abs().max() > 1e-2


def test_a_gate_of_the_input_gives_each_step_its_weight():
    neuron = snn.GLIF(3, multi_step=True, **GATES | dict(beta=1.0, decay=0.0))
    with torch.no_grad():
        neuron.w_conductance.copy_(torch.logit(torch.tensor([0.25, 0.5, 0.125])))
    _, t, mem = neuron(torch.full((3, 1), 0.5))
    assert torch.allclose(mem[:, 0], torch.tensor([0.125, 0.25, 0.0625]))
    assert t.tolist() == [1, 2, 3]


def test_the_published_equations():
    neuron = random_neuron(detach_reset=False, learn_threshold=False).double()
    x = torch.rand(T, 8, C, dtype=torch.float64)
    leaves = [x.clone().requires_grad_() for _ in range(2)]
    parts = (*neuron.coefficients(), neuron.w_conductance.sigmoid())
    wanted = published(leaves[1], parts, neuron.threshold, surrogate.atan())
    spikes = neuron(leaves[0])[0]
    assert 0.1 < wanted.mean() < 0.9 and torch.equal(spikes, wanted)
    weights, grads = torch.randn_like(x), []
    for train, leaf in zip((spikes, wanted), leaves, strict=True):
        grads.append(torch.autograd.grad((train * weights).sum(), [leaf, *neuron.parameters()]))
    for ours, theirs in zip(*grads, strict=True):
        assert ours.abs().max() > 1e-3
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


def test_channels_are_the_axis_behind_the_batch():
    neuron = random_neuron()
    x = torch.rand(T, 4, C)
    spikes, _, mem = neuron(x)
    maps = x[..., None, None].expand(T, 4, C, C, 2)
    over, _, membranes = neuron(maps)
    assert torch.equal(membranes, mem[..., None, None].expand_as(membranes))
    assert torch.equal(dense(over), dense(spikes)[..., None, None].expand(maps.shape))
    assert len({tuple(row.tolist()) for row in mem[-1].T}) == C


def test_steps_are_the_sequence_and_a_new_one_begins_behind_it():
    neuron, x = random_neuron(), torch.rand(T, 4, C)
    whole = dense(neuron(x)[0])
    single = copy.deepcopy(neuron)
    single.multi_step, single.init_hidden = False, True
    for _ in range(2):
        assert torch.equal(torch.stack([single(current) for current in x]), whole)
    assert single.t == T
    single(x[0])
    assert single.t == 1
    snn.utils.reset(single)
    assert torch.equal(torch.stack([single(current) for current in x]), whole)


@pytest.mark.parametrize("shape", [(T - 1, 2, C), (T + 1, 2, C), (0, 2, C)])
def test_another_length_is_refused(shape):
    with pytest.raises(ValueError, match=f"must have {T} steps"):
        snn.GLIF(T, C, multi_step=True)(torch.rand(shape))


@pytest.mark.parametrize("shape", [(T, 2, C + 1), (T, 2), (T, C, 2), (T, 2, 4, C)])
def test_other_channels_are_refused(shape):
    with pytest.raises(ValueError, match=rf"\[B, {C}, \*\]"):
        snn.GLIF(T, C, multi_step=True)(torch.rand(shape))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (dict(T=0), "T must be 1 or more"),
        (dict(alpha=1.5), "alpha must be from 0 to 1"),
        (dict(v_sub=torch.ones(2)), r"v_sub must be a number or \[3\]"),
        (dict(threshold=torch.ones(2)), "threshold must be a number"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        snn.GLIF(**dict(T=T, channels=C) | arguments)


def test_nothing_is_learned_if_so_asked():
    assert not list(snn.GLIF(T, C, learn=False).parameters())
