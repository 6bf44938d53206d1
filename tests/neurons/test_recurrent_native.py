"""Recurrent layers: the native sequence against steps in torch, which specify it."""

import copy

import pytest
import torch
from test_native import assert_same

import bitspike as snn
from bitspike import surrogate
from bitspike.ops import _native
from helpers.cases import uniform
from helpers.compare import dense, error, same_bits
from helpers.replay import run, specification

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("poisoned")]

KINDS = (snn.RLeaky, snn.RSynaptic, snn.RALIF)
CONNECTIONS = ("dense", "one to one")


def resets(kind):
    """Each reset with and without delay, where the neuron has both."""
    delays = (True, False) if kind.IMMEDIATE else (True,)
    pairs = [(reset, delay) for reset in kind.RESETS for delay in delays]
    return [pair for pair in pairs if pair != ("subtract_beta", False)]


all_layers = pytest.mark.parametrize(
    "kind, connection, reset, delay",
    [
        pytest.param(kind, connection, *reset, id=f"{kind.__name__}, {connection}, {reset}")
        for kind in KINDS
        for connection in CONNECTIONS
        for reset in resets(kind)
    ],
)


def layer(kind, connection, n, reset="subtract", delay=True, learn=True, exact=True, **others):
    """A layer for sequences. ``exact``: its dense weights have sums without rounding errors."""
    arguments = dict(beta=uniform(0.3, 1, n), threshold=uniform(0.4, 1, n), multi_step=True)
    arguments |= dict(reset_mechanism=reset, reset_delay=delay, learn_recurrent=learn)
    arguments |= dict(learn_beta=learn, learn_threshold=learn)
    if kind is snn.RSynaptic:
        arguments |= dict(alpha=uniform(0.3, 0.8, n), learn_alpha=learn)
    if kind is snn.RALIF:
        arguments |= dict(rho=uniform(0.3, 0.95, n), beta_a=uniform(0.1, 0.4, n))
        arguments |= dict(learn_rho=learn, learn_beta_a=learn)
    if connection == "dense":
        arguments |= dict(linear_features=n)
    else:
        arguments |= dict(all_to_all=False, V=torch.randn(n))
    neuron = kind(**arguments | others)
    if connection == "dense":
        with torch.no_grad():
            for x in neuron.recurrent.parameters():
                x.normal_(0, 2 / n**0.5 if x.dim() == 2 else 0.1)
                if exact:
                    x.copy_((x * 64).round() / 64)
    return neuron


def inputs(neuron, steps, *step):
    """Currents and initial states: the spikes before the first step are any numbers."""
    x = torch.randn(steps, *step) * 0.5 + 0.1
    return x, [(torch.randn(step) * 8).round() / 8 for _ in neuron.STATES]


@all_layers
@pytest.mark.parametrize("n, samples", [(1, 1), (65, 37), (150, 3)])
def test_equals_the_specification(kind, connection, reset, delay, n, samples):
    neuron = layer(kind, connection, n, reset, delay)
    x, initial = inputs(neuron, 30, samples, n)
    with torch.no_grad():
        wanted, actual = run(neuron, x, initial, reference=True), run(neuron, x, initial)
    if n > 1:
        assert 0.005 < dense(wanted[0]).mean() < 0.6
    assert_same(wanted, actual, "states")


@all_layers
def test_a_sequence_equals_its_steps(kind, connection, reset, delay):
    neuron = layer(kind, connection, 70, reset, delay)
    x, states = inputs(neuron, 30, 4, 70)
    with torch.no_grad():
        spikes, *rest = run(neuron, x, states)
        for t, current in enumerate(x):
            fired, _, states = neuron.run(current, list(states), sequence=False, states=False)
            assert same_bits(fired, dense(spikes)[t])
            for state, sequence in zip(states, rest, strict=False):
                assert same_bits(state, dense(sequence)[t])


def test_rounding_errors_flip_few_spikes():
    """The native product adds in another order than torch's."""
    neuron = layer(snn.RLeaky, "dense", 300, exact=False)
    x, initial = inputs(neuron, 25, 16, 300)
    with torch.no_grad():
        wanted, actual = run(neuron, x, initial, reference=True), run(neuron, x, initial)
    flips = (wanted[0] != dense(actual[0])).float().mean()
    assert flips < 1e-4
    assert error(actual[2][:3], wanted[2][:3]) < 1e-6


# The same bits everywhere


def everything(neuron, x, initial, weights):
    """All results of forward and backward."""
    neuron = copy.deepcopy(neuron)
    tensors = [y.clone().requires_grad_() for y in (x, *initial)]
    results = run(neuron, tensors[0], tensors[1:])
    loss = sum((y * w).sum() for y, w in zip(results, weights, strict=True))
    parameters = [x for x in neuron.parameters() if x.requires_grad]
    return [*map(dense, results), *torch.autograd.grad(loss, [*tensors, *parameters])]


def example(neuron, *shape):
    x, initial = inputs(neuron, *shape)
    count = len(initial)
    return neuron, x, initial, [*torch.randn(1 + count, *shape), *torch.randn(count, *shape[1:])]


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_number_of_threads(kind, connection, threads):
    arguments = example(layer(kind, connection, 130, exact=False), 13, 75, 130)
    threads(1)
    wanted = everything(*arguments)
    for count in (2, 3, 5):
        threads(count)
        assert_same(wanted, everything(*arguments), count)


@all_layers
def test_instruction_sets(kind, connection, reset, delay, force_isa):
    arguments = example(layer(kind, connection, 150, reset, delay, exact=False), 7, 13, 150)
    arguments[1][3, 4, 5:9] = torch.tensor([float("nan"), float("inf"), 1e-40, -0.0])
    force_isa("scalar")
    wanted = everything(*arguments)
    for isa in _native.describe()["isas"]:
        force_isa(isa)
        assert_same(wanted, everything(*arguments), isa)


# Gradients


@all_layers
@pytest.mark.parametrize("surrogate_", [surrogate.ATan(), surrogate.Triangle(0.4)], ids=str)
def test_gradients(kind, connection, reset, delay, surrogate_):
    neuron = layer(kind, connection, 70, reset, delay, spike_grad=surrogate_)
    arguments = neuron, x, initial, weights = example(neuron, 12, 11, 70)
    wanted_inputs, results = specification(neuron, x, initial, spread=False)
    loss = sum((y * w.double()).sum() for y, w in zip(results, weights, strict=True))
    wanted = torch.autograd.grad(loss, wanted_inputs)
    actual = everything(*arguments)[-len(wanted) :]
    names = ["input", *kind.STATES, *(name for name, _ in neuron.named_parameters())]
    for name, got, want in zip(names, actual, wanted, strict=True):
        assert error(got, want) < 1e-5, name


@all_layers
def test_nothing_learned_gives_the_same_gradients(kind, connection, reset, delay):
    """Without learned parameters another loop runs."""
    gradients = []
    for learn in (True, False):
        torch.manual_seed(1)
        arguments = example(layer(kind, connection, 70, reset, delay, learn), 9, 2, 70)
        count = len(arguments[-1])
        gradients.append(everything(*arguments)[count : count + 1 + len(kind.STATES)])
    assert_same(*gradients, "learned or not")


@pytest.mark.parametrize("connection", CONNECTIONS)
@pytest.mark.parametrize(
    "kind, delay", [(snn.RSynaptic, True), (snn.RSynaptic, False), (snn.RALIF, True)]
)
def test_long_sequences_recompute_in_chunks(connection, kind, delay):
    """Gradients through three chunks are those through the pieces of the sequence."""
    neuron = layer(kind, connection, 5, delay=delay)
    x, initial = inputs(neuron, 2500, 32, 5)
    whole, pieces = [[y.clone().requires_grad_() for y in (x, *initial)] for _ in range(2)]
    spikes, *_ = neuron.run(whole[0], whole[1:], sequence=True, states=False)
    spikes.sum().backward()
    total, states = 0, pieces[1:]
    for piece in pieces[0].split(500):
        fired, _, states = neuron.run(piece, list(states), sequence=True, states=False)
        total = total + fired.sum()
    total.backward()
    for one, other in zip(whole, pieces, strict=True):
        # Of a piece, torch computes what comes back first.
        assert error(one.grad, other.grad) < 1e-6


# Shapes


@pytest.mark.parametrize("step", [(33,), (2, 3, 33), (0, 33)])
@pytest.mark.parametrize("steps", [0, 1, 9])
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_shapes(connection, step, steps):
    neuron = layer(snn.RSynaptic, connection, 33)
    x, initial = inputs(neuron, steps, *step)
    wanted, actual = run(neuron, x, initial, reference=True), run(neuron, x, initial)
    assert_same(wanted, actual, "shape")
    if not steps:
        assert all(same_bits(a, b) for a, b in zip(initial, actual[-3:], strict=True))
    if steps:
        sum(y.sum() for y in actual).backward()
        assert all(x.grad.shape == x.shape for x in neuron.parameters())


def test_convolutions_run_step_by_step():
    neuron = snn.RLeaky(0.9, conv2d_channels=3, kernel_size=3, threshold=0.5, multi_step=True)
    x, initial = inputs(neuron, 6, 2, 3, 5, 7)
    wanted, actual = run(neuron, x, initial, reference=True), run(neuron, x, initial)
    assert isinstance(actual[0], snn.SpikeTensor) and actual[0].features == (3, 5, 7)
    assert_same(wanted, actual, "convolution")
    gradients = [
        torch.autograd.grad(sum(y.sum() for y in results), list(neuron.parameters()))
        for results in (wanted, actual)
    ]
    assert all(error(a, w) < 1e-5 for w, a in zip(*gradients, strict=True))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("connection", CONNECTIONS)
def test_compiled(kind, connection):
    neuron = layer(kind, connection, 20)
    arguments = neuron, x, initial, weights = example(neuron, 5, 3, 20)
    wanted = everything(*arguments)

    def call(x, *initial):
        return neuron.run(x, list(initial), sequence=True, states=True)

    compiled = torch.compile(call, fullgraph=True, backend="aot_eager")
    tensors = [y.clone().requires_grad_() for y in (x, *initial)]
    spikes, states, last = compiled(*tensors)
    results = [spikes, *states, *last]
    loss = sum((y * w).sum() for y, w in zip(results, weights, strict=True))
    actual = torch.autograd.grad(loss, [*tensors, *neuron.parameters()])
    assert_same(wanted, [*map(dense, results), *actual], "compiled")
