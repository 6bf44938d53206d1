"""The native kernel of every neuron against its specification, its ``step`` in torch."""

import copy

import pytest
import torch

import bitspike as snn
from bitspike import neurons, surrogate
from bitspike.ops import _native
from helpers.cases import CASES
from helpers.compare import dense, same_bits
from helpers.replay import run, specification

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("poisoned")]

LAYERS = [
    pytest.param(case, *reset, id=f"{case}, {reset[0]}{'' if reset[1] else ' at once'}")
    for case in CASES
    for reset in case.resets()
]
all_layers = pytest.mark.parametrize("case, reset, delay", LAYERS)
NEAR = 2e-6
"""Relative difference of two float32 evaluations of one step with exponentials."""


def test_every_neuron_has_a_case():
    assert {case.kind for case in CASES} == set(neurons.ALL)


# Forward


def assert_steps_equal(case, neuron, x, initial):
    """Each native step equals the specification's step from the same states.

    A neuron whose exponential differs in the last place may cross its threshold a step earlier, so
    a step that starts elsewhere would say nothing.
    """
    spikes, *rest = run(neuron, x, initial)
    count = len(initial)
    for t, current in enumerate(x):
        before = [s[t - 1] for s in rest[:count]] if t else initial
        wanted, states = neuron.step(current, *before)
        for name, state, got in zip(case.kind.STATES, states, rest[:count], strict=True):
            bound = max(state.abs().max().item(), before[-1].abs().max().item())
            assert (state - got[t]).abs().max() <= NEAR * bound, (t, name)
        level = neuron.level(*states)
        clear = (level - neuron.threshold).abs() > NEAR * level.abs().max()
        assert (wanted == dense(spikes)[t])[clear].all()


@all_layers
@pytest.mark.parametrize("n", [1, 65, 150])
def test_equals_the_specification(case, reset, delay, n):
    neuron = case.neuron(n, reset, delay)
    x, initial = case.inputs(40, 3, n)
    with torch.no_grad():
        if not case.exact:
            return assert_steps_equal(case, neuron, x, initial)
        wanted, actual = run(neuron, x, initial, reference=True), run(neuron, x, initial)
    if n > 1:
        assert 0.005 < dense(wanted[0]).ne(0).float().mean() < 0.6
    for w, a in zip(wanted, actual, strict=True):
        assert same_bits(w, a)


@all_layers
@pytest.mark.parametrize("step", [(33,), (), (2, 3, 5), (3, 0), (0, 4)])
@pytest.mark.parametrize("steps", [0, 1, 9])
def test_shapes(case, reset, delay, step, steps):
    neuron = case.neuron(1, reset, delay, graded_spikes_factor=1.0)
    x, initial = case.inputs(steps, *step)
    spikes, *rest = run(neuron, x, initial)
    assert spikes.shape == x.shape
    wanted = [x.shape] * len(initial) + [x.shape[1:]] * len(initial)
    assert [y.shape for y in rest] == wanted
    if not steps:
        assert all(same_bits(a, b) for a, b in zip(initial, rest[-len(initial) :], strict=True))


@all_layers
def test_a_sequence_equals_its_steps(case, reset, delay):
    neuron = case.neuron(70, reset, delay)
    x, states = case.inputs(30, 4, 70)
    with torch.no_grad():
        spikes, *rest = run(neuron, x, states)
        for t, current in enumerate(x):
            fired, _, states = neuron.run(current, list(states), sequence=False, states=False)
            assert same_bits(fired, dense(spikes)[t])
            for state, sequence in zip(states, rest, strict=False):
                assert same_bits(state, sequence[t])


# The same bits everywhere


def gradients_of(loss, inputs):
    """The gradients of a sum; zero for what a neuron takes without using it."""
    return torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)


def everything(neuron, x, initial, weights):
    """All results of forward and backward."""
    neuron = copy.deepcopy(neuron)
    inputs = [y.clone().requires_grad_() for y in (x, *initial)]
    results = run(neuron, inputs[0], inputs[1:])
    loss = sum((y * w).sum() for y, w in zip(results, weights, strict=True))
    return [*map(dense, results), *gradients_of(loss, [*inputs, *neuron.parameters()])]


def example(case, reset, delay, *shape):
    neuron = case.neuron(shape[-1], reset, delay)
    x, initial = case.inputs(*shape)
    count = len(initial)
    weights = [*torch.randn(1 + count, *shape), *torch.randn(count, *shape[1:])]
    return neuron, x, initial, weights


def assert_same(wanted, actual, what):
    for w, a in zip(wanted, actual, strict=True):
        assert same_bits(w, a), what


@all_layers
def test_number_of_threads(case, reset, delay, threads):
    # As much work as is split among threads.
    arguments = example(case, reset, delay, 13, 33, 400)
    threads(1)
    wanted = everything(*arguments)
    for count in (2, 3):
        threads(count)
        assert_same(wanted, everything(*arguments), count)


@all_layers
def test_instruction_sets(case, reset, delay, force_isa):
    arguments = example(case, reset, delay, 7, 5, 150)
    arguments[1][3, 4, 5:9] = torch.tensor([float("nan"), float("inf"), 1e-40, -0.0])
    force_isa("scalar")
    wanted = everything(*arguments)
    for isa in _native.describe()["isas"]:
        force_isa(isa)
        assert_same(wanted, everything(*arguments), isa)


# Gradients


@all_layers
@pytest.mark.parametrize("surrogate_", [surrogate.ATan(), surrogate.Sigmoid(3.0)], ids=str)
def test_gradients(case, reset, delay, surrogate_):
    neuron, x, initial, weights = example(case, reset, delay, 12, 4, 70)
    neuron.spike_grad = surrogate_
    wanted_inputs, results = specification(neuron, x, initial)
    wanted_loss = sum((y * w.double()).sum() for y, w in zip(results, weights, strict=True))
    wanted = gradients_of(wanted_loss, wanted_inputs)
    actual = everything(neuron, x, initial, weights)[-len(wanted) :]
    names = ["input", *case.kind.STATES, *(name for name, _ in neuron.named_parameters())]
    for name, got, want in zip(names, actual, wanted, strict=True):
        # float32 rounds each contribution to a sum, however small the sum is.
        scale = want.abs().sum_to_size(got.shape).max().clamp(min=1e-30)
        worst = (got.double() - want.sum_to_size(got.shape)).abs().max() / scale
        assert worst < 2e-5, name


@all_layers
def test_nothing_learned_gives_the_same_gradients(case, reset, delay):
    """Without learned parameters another loop runs."""
    _, x, initial, weights = example(case, reset, delay, 9, 2, 300)
    gradients = []
    state = torch.get_rng_state()
    for learn in (True, False):
        torch.set_rng_state(state)
        neuron = case.neuron(300, reset, delay, learn, learn_graded_spikes_factor=learn)
        results = everything(neuron, x, initial, weights)
        count = len(weights) + 1 + len(initial)
        gradients.append(results[len(weights) : count])
    assert_same(*gradients, "learned or not")


@all_layers
def test_long_sequences_recompute_in_chunks(case, reset, delay):
    """Gradients through three chunks are those through the pieces of the sequence."""
    neuron = case.neuron(17, reset, delay)
    x, initial = case.inputs(2500, 2, 17)
    whole, pieces = [[y.clone().requires_grad_() for y in (x, *initial)] for _ in range(2)]
    spikes, *_ = neuron.run(whole[0], whole[1:], sequence=True, states=False)
    spikes.sum().backward()
    total, states = 0, pieces[1:]
    for piece in pieces[0].split(500):
        fired, _, states = neuron.run(piece, list(states), sequence=True, states=False)
        total = total + fired.sum()
    total.backward()
    for one, other in zip(whole, pieces, strict=True):
        assert same_bits(one.grad, other.grad)


@all_layers
def test_fire_first_is_one_step_later(case, reset, delay):
    neuron = case.neuron(33, reset, delay)
    first = case.neuron(33, reset, delay, order="fire_first")
    first.load_state_dict(neuron.state_dict())
    x, initial = case.inputs(12, 2, 33)
    spikes, *states = run(neuron, x, initial)
    late, *same = run(first, x, initial)
    assert_same(states, same, "states")
    assert dense(late)[1:].equal(dense(spikes)[:-1])
    assert dense(late)[0].equal(neuron.fire(neuron.level(*initial)))
    single = [first.run(x[0], initial, sequence=False, states=False)[0]]
    assert single[0].equal(dense(late)[0])
    assert isinstance(late, snn.SpikeTensor) == isinstance(spikes, snn.SpikeTensor)
