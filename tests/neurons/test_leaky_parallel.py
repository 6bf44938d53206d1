"""`LeakyParallel` against snnTorch 1.0.0, ``nn.RNN``, and numbers worked out by hand."""

import copy

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike import surrogate
from bitspike.neurons.base import never_reset
from bitspike.ops import _native
from helpers.compare import dense, error, same_bits

pytestmark = pytest.mark.isa


def pair(*args, **kwargs):
    """The same neuron of snnTorch and of bitspike, by way of a checkpoint."""
    theirs, ours = snntorch.LeakyParallel(*args, **kwargs), snn.LeakyParallel(*args, **kwargs)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def assert_same_spikes(found, wanted, membrane, threshold):
    """Spikes agree, except where the membrane's last bits decide."""
    close = (membrane - threshold).abs() < 1e-6 * membrane.abs().max().clamp(min=1)
    assert torch.equal(dense(found)[~close], wanted[~close])


@given(
    steps=st.integers(1, 30),
    inputs=st.integers(1, 20),
    hidden=st.integers(1, 70),
    beta=st.none() | st.floats(-0.5, 1.5),
    bias=st.booleans(),
    threshold=st.floats(0.1, 2),
    batched=st.booleans(),
)
@settings(max_examples=60)
def test_equals_snntorch(steps, inputs, hidden, beta, bias, threshold, batched):
    theirs, ours = pair(inputs, hidden, beta=beta, bias=bias, threshold=threshold)
    x = 3 * torch.randn(*((steps, 3, inputs) if batched else (steps, inputs)))
    wanted, spikes = theirs(x), ours(x)
    assert isinstance(spikes, snn.SpikeTensor) and spikes.shape == wanted.shape
    membrane = theirs.rnn(x)[0]
    # What cancels in a sum leaves the rounding of its terms, which are about 1.
    assert (ours._membrane(x) - membrane).abs().max() < 1e-6 * membrane.abs().max().clamp(min=1)
    assert_same_spikes(spikes, wanted, membrane, threshold)


@given(hidden=st.integers(1, 20), beta=st.none() | st.floats(0, 0.2))
@settings(max_examples=20)
def test_a_full_matrix_has_the_bits_of_snntorch(hidden, beta):
    theirs, ours = pair(4, hidden, beta=beta, weight_hh_enable=True)
    x = 3 * torch.randn(9, 2, 4)
    assert same_bits(ours._membrane(x), theirs.rnn(x)[0])
    assert same_bits(ours(x), theirs(x))


def test_the_same_seed_gives_the_same_weights():
    for kwargs in ({}, dict(beta=0.3), dict(weight_hh_enable=True)):
        states = []
        for library in (snntorch, snn):
            torch.manual_seed(3)
            states.append(library.LeakyParallel(5, 7, **kwargs).state_dict())
        assert states[0].keys() == states[1].keys()
        assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@pytest.mark.parametrize("full", [False, True])
def test_gradients_equal_snntorch(full):
    theirs, ours = pair(
        6, 20, beta=0.1 if full else 0.8, learn_beta=True, learn_threshold=True,
        learn_graded_spikes_factor=True, weight_hh_enable=full,
    )  # fmt: skip
    x, weights = 2 * torch.randn(15, 4, 6), torch.randn(15, 4, 20)
    results = []
    for neuron in (theirs, ours):
        leaf = x.clone().requires_grad_()
        (neuron(leaf) * weights).sum().backward()
        results.append((leaf.grad, *(p.grad for _, p in sorted(neuron.named_parameters()))))
    for wanted, found in zip(*results, strict=True):
        assert error(found, wanted) < 1e-5
    off_diagonal = ours.rnn.weight_hh_l0.grad - ours.rnn.weight_hh_l0.grad.diagonal().diag()
    assert bool(off_diagonal.any()) == full


def test_a_trace():
    neuron = snn.LeakyParallel(1, 1, beta=0.5, bias=False, learn_beta=True, threshold=0.75)
    neuron.rnn.weight_ih_l0.data.fill_(2)
    x = torch.tensor([0.5, -1.0, 0.25, 0.5]).view(4, 1, 1)
    assert neuron._membrane(x).flatten().tolist() == [1.0, 0.0, 0.5, 1.25]
    assert dense(neuron(x)).flatten().tolist() == [1, 0, 0, 1]
    # Of the membrane of the last step: u3 = w(w·0 + 2 x2) + 2 x3, and nothing passes the zero.
    x.requires_grad_()
    neuron._membrane(x)[-1].sum().backward()
    assert x.grad.flatten().tolist() == [0, 0, 1, 2]
    assert neuron.rnn.weight_hh_l0.grad.item() == 0.5


@pytest.mark.parametrize("kind", surrogate.ALL)
def test_equals_its_specification(kind, monkeypatch):
    neuron = snn.LeakyParallel(
        6, 70, beta=torch.rand(70), spike_grad=kind(), learn_beta=True, learn_threshold=True
    )
    results = []
    for reference in (False, True):
        if reference:
            monkeypatch.setattr("bitspike.ops.route.refusal", lambda *_: "the test asks for it")
        x = torch.randn(20, 3, 6, generator=torch.Generator().manual_seed(1)).requires_grad_()
        neuron.zero_grad()
        spikes = neuron(2 * x)
        assert isinstance(spikes, snn.SpikeTensor) != reference
        (spikes * torch.linspace(-1, 2, 70)).sum().backward()
        results.append((spikes, x.grad, *(p.grad for p in neuron.parameters())))
    for i, (found, wanted) in enumerate(zip(*results, strict=True)):
        assert same_bits(found, wanted) if i < 1 else error(found, wanted) < 1e-5


def test_threads_and_isas_change_nothing(threads, force_isa):
    neuron = snn.LeakyParallel(4, 700, beta=0.9)
    current = torch.randn(50, 4, 700)
    decay = neuron.rnn.weight_hh_l0.diagonal().detach()
    results = []
    for isa in _native.describe()["isas"]:
        force_isa(isa)
        for count in (1, 2):
            threads(count)
            leaf = current.clone().requires_grad_()
            membrane = snn.scan.linear_scan(leaf, decay, rectified=True)
            spikes = never_reset.fire(neuron, membrane)
            spikes.sum().backward()
            results.append((membrane, spikes, leaf.grad))
    for result in results[1:]:
        assert all(map(same_bits, result, results[0]))


# Starting values


def test_beta():
    for beta in (0.5, torch.tensor(0.5), torch.tensor([0.5])):
        weight = snn.LeakyParallel(2, 3, beta=beta).rnn.weight_hh_l0
        assert torch.equal(weight, 0.5 * torch.eye(3)) and not weight.requires_grad
    vector = torch.tensor([0.2, 1.5, -0.5])
    diagonal = snn.LeakyParallel(2, 3, beta=vector).rnn.weight_hh_l0
    assert torch.equal(diagonal, torch.tensor([0.2, 1.0, 0.0]).diag())
    full = snn.LeakyParallel(2, 3, beta=vector, weight_hh_enable=True).rnn.weight_hh_l0
    assert torch.equal(full, torch.tensor([0.2, 1.0, 0.0]).view(3, 1).expand(3, 3))
    assert torch.equal(snn.LeakyParallel(2, 3, beta=1).rnn.weight_hh_l0, torch.eye(3))


def test_a_full_matrix_is_not_loaded_as_a_diagonal():
    state = snn.LeakyParallel(2, 3, beta=0.1, weight_hh_enable=True).state_dict()
    with pytest.raises(ValueError, match="weight_hh_enable=True"):
        snn.LeakyParallel(2, 3, beta=0.1).load_state_dict(state)


# What calls take and return


def test_graded_spikes_and_no_surrogate():
    neuron = snn.LeakyParallel(2, 3, graded_spikes_factor=2.0, surrogate_disable=True)
    x = torch.randn(5, 2, 2, requires_grad=True)
    spikes = neuron(3 * x)
    assert type(spikes) is torch.Tensor and set(spikes.unique().tolist()) <= {0.0, 2.0}
    spikes.sum().backward()
    assert not x.grad.any()


def test_packed_spikes_in():
    neuron = snn.LeakyParallel(70, 5, beta=0.9, threshold=0.1)
    x = (torch.rand(9, 2, 70) < 0.3).float()
    packed = snn.SpikeTensor.from_dense(x)
    assert error(neuron._membrane(packed), neuron._membrane(x)) < 1e-5
    full = snn.LeakyParallel(70, 5, weight_hh_enable=True)
    assert same_bits(full(packed), full(x))


def test_double():
    neuron = snn.LeakyParallel(4, 5, beta=0.9, dtype=torch.float64)
    x = torch.randn(9, 2, 4, dtype=torch.float64)
    rnn = nn.RNN(4, 5, nonlinearity="relu", dtype=torch.float64)
    rnn.load_state_dict(neuron.rnn.state_dict())
    assert error(neuron._membrane(x), rnn(x)[0]) < 1e-14
    assert neuron(x).dtype == torch.float64


def test_in_a_network():
    neuron = snn.LeakyParallel(4, 5, beta=0.9)
    x = torch.randn(9, 2, 4)
    assert same_bits(snn.unroll(nn.Sequential(nn.Identity(), neuron), x), neuron(x))
    assert same_bits(copy.deepcopy(neuron)(x), neuron(x))
    assert not isinstance(neuron, snn.SpikingNeuron)
    assert same_bits(snn.LeakyParallel(4, 5, beta=0.9, multi_step=False)(x) * 0, neuron(x) * 0)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_compiled():
    torch._dynamo.reset()
    neuron = snn.LeakyParallel(4, 9, beta=0.9, learn_beta=True)
    x = 2 * torch.randn(7, 3, 4)
    results = []
    for call in (neuron, torch.compile(neuron, fullgraph=True, backend="aot_eager")):
        neuron.zero_grad()
        spikes = call(x)
        (spikes * torch.linspace(-1, 2, 9)).sum().backward()
        assert type(spikes) is snn.SpikeTensor
        results.append((spikes, *(p.grad for p in neuron.parameters() if p.requires_grad)))
    assert all(map(same_bits, *results))
    full = snn.LeakyParallel(4, 9, weight_hh_enable=True)
    assert same_bits(torch.compile(full, backend="aot_eager")(x), full(x))


ERRORS = {
    "beta": (lambda: snn.LeakyParallel(2, 3, beta=torch.rand(2)), r"beta must be .* \[3\]"),
    "features": (lambda: snn.LeakyParallel(2, 3)(torch.zeros(5, 2, 4)), r"\[T, B, 2\]"),
    "axes": (lambda: snn.LeakyParallel(2, 3)(torch.zeros(2)), r"\[T, B, 2\]"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    call, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        call()
