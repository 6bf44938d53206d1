"""`AssociativeLeaky` against a loop in double precision, and snnTorch 1.0.0 where that is exact."""

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bitspike as snn
from bitspike.neurons.base import never_reset
from bitspike.ops import _native
from helpers.compare import dense, error, same_bits

pytestmark = pytest.mark.isa

SHORT = 3
"""Steps over which the prefix products of snnTorch lose nothing yet."""


def pair(*args, **kwargs):
    """The same neuron of snnTorch and of bitspike, by way of a checkpoint."""
    theirs, ours = (lib.AssociativeLeaky(*args, **kwargs) for lib in (snntorch, snn))
    with torch.no_grad():
        theirs.to_v.weight.mul_(5)  # so that something fires within a few steps
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def memories(neuron, x):
    """``M`` of all steps in double precision, ``[T, B, d, n]``."""
    v, k = neuron.to_v(x).double(), neuron.to_k(x).double()
    a = neuron.to_alpha(x).double().sigmoid()
    memory, steps = torch.zeros(x.shape[1], v.shape[2], k.shape[2], dtype=torch.float64), []
    for t in range(x.shape[0]):
        memory = memory * a[t].unsqueeze(1) + v[t].unsqueeze(2) * k[t].unsqueeze(1)
        steps.append(memory)
    return torch.stack(steps)


def close_to_threshold(memory, tolerance=1e-5):
    return (memory - 1).abs() < tolerance * memory.abs().max().clamp(min=1)


@given(
    steps=st.integers(1, 60),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 70)),
    samples=st.integers(1, 3),
)
@settings(max_examples=50)
def test_spikes_in_double_precision(steps, sizes, samples):
    neuron = snn.AssociativeLeaky(5, *sizes, use_q_projection=False)
    x = 3 * torch.randn(steps, samples, 5)
    spikes = neuron(x)
    assert isinstance(spikes, snn.SpikeTensor)
    memory = memories(neuron, x).flatten(2)
    close = close_to_threshold(memory)
    assert torch.equal(dense(spikes)[~close], (memory > 1).float()[~close])
    neuron.output = False
    assert error(neuron(x), memory) < 1e-5


def test_nothing_is_forgotten_over_long_sequences():
    neuron = snn.AssociativeLeaky(5, 4, 6, use_q_projection=False)
    neuron.output = False
    x = 3 * torch.randn(500, 2, 5)
    assert error(neuron(x), memories(neuron, x).flatten(2)) < 1e-5


@given(
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    steps=st.integers(1, SHORT),
    query=st.booleans(),
)
@settings(max_examples=50)
def test_equals_snntorch_over_a_few_steps(sizes, steps, query):
    d, n = sizes
    theirs, ours = pair(5, d, n, d * n, use_q_projection=query)
    x = torch.randn(steps, 3, 5)
    # Where a number is close to the threshold, the last bits decide; the others do not know of it.
    if close_to_threshold(memories(ours, x), 1e-4).any():
        return
    wanted, found = theirs(x), ours(x)
    assert found.shape == wanted.shape
    assert error(dense(found), wanted) < 1e-5 if query else torch.equal(dense(found), wanted)


@pytest.mark.parametrize("query", [False, True])
def test_gradients_equal_snntorch_over_a_few_steps(query):
    theirs, ours = pair(5, 4, 6, 24, use_q_projection=query)
    x = torch.randn(SHORT, 3, 5)
    weights = torch.randn(SHORT, 3, 16 if query else 24)
    results = []
    for neuron in (theirs, ours):
        leaf = x.clone().requires_grad_()
        (neuron(leaf) * weights).sum().backward()
        results.append((leaf.grad, *(p.grad for p in neuron.parameters())))
    for wanted, found in zip(*results, strict=True):
        assert wanted.any() and error(found, wanted) < 1e-5


def fixed(query):
    """One input that is value, key and, through a sigmoid, decay; d = 2, n = 1."""
    neuron = snn.AssociativeLeaky(1, 2, 1, use_q_projection=query)
    with torch.no_grad():
        for linear, weight in ((neuron.to_v, [1.0, -1.0]), (neuron.to_k, [2.0])):
            linear.weight.copy_(torch.tensor(weight).unsqueeze(1))
            linear.bias.zero_()
        neuron.to_alpha.weight.zero_()
        neuron.to_alpha.bias.zero_()  # a = 1/2
        if query:
            neuron.to_q.weight.zero_()
            neuron.to_q.bias.copy_(torch.tensor([3.0, 5.0]))
    return neuron


def test_a_trace():
    x = torch.tensor([1.0, 0.0, -2.0]).view(3, 1, 1)
    neuron = fixed(query=False)
    # v·k = 2x², so M = [2, -2], [1, -1], [8.5, -8.5].
    assert dense(neuron(x)).flatten(1).tolist() == [[1, 0], [0, 0], [1, 0]]
    neuron.output = False
    assert neuron(x).flatten(1).tolist() == [[2, -2], [1, -1], [8.5, -8.5]]
    # Z·Q with Z = [[1], [0]] and Q = [[3, 5]]
    assert fixed(query=True)(x).flatten(1).tolist() == [[3, 5, 0, 0], [0, 0, 0, 0], [3, 5, 0, 0]]


def test_gradients_equal_the_loop_in_torch(monkeypatch):
    neuron = snn.AssociativeLeaky(5, 4, 33)
    results = []
    for reference in (False, True):
        if reference:
            monkeypatch.setattr("bitspike.ops.route.refusal", lambda *_: "the test asks for it")
        x = torch.randn(30, 3, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
        neuron.zero_grad()
        out = neuron(2 * x)
        (out * torch.linspace(-1, 2, 16)).sum().backward()
        results.append((out, x.grad, *(p.grad for p in neuron.parameters())))
    for i, (found, wanted) in enumerate(zip(*results, strict=True)):
        assert same_bits(found, wanted) if i < 1 else error(found, wanted) < 1e-5


def test_threads_and_isas_change_nothing(threads, force_isa):
    v, k, a = torch.randn(60, 8, 20), torch.randn(60, 8, 33), torch.rand(60, 8, 33)
    neuron = snn.AssociativeLeaky(5, 20, 33)
    results = []
    for isa in _native.describe()["isas"]:
        force_isa(isa)
        for count in (1, 2):
            threads(count)
            leaves = [x.clone().requires_grad_() for x in (v, k, a)]
            memory = snn.scan.outer_scan(*leaves).flatten(2)
            spikes = never_reset.fire(neuron, memory)
            spikes.sum().backward()
            results.append((memory, spikes, *(x.grad for x in leaves)))
    for result in results[1:]:
        assert all(map(same_bits, result, results[0]))


def test_sizes():
    assert snn.AssociativeLeaky(5, 3, 4, None).num_spiking_neurons == 12
    neuron = snn.AssociativeLeaky.from_num_spiking_neurons(5, 16)
    assert (neuron.d_value, neuron.d_key, neuron.num_spiking_neurons) == (4, 4, 16)
    theirs = snntorch.AssociativeLeaky.from_num_spiking_neurons(5, 16, use_q_projection=False)
    ours = snn.AssociativeLeaky.from_num_spiking_neurons(5, 16, False, multi_step=False)
    assert theirs.state_dict().keys() == ours.state_dict().keys() and ours.to_q is None


def test_double_and_packed_spikes():
    neuron = snn.AssociativeLeaky(70, 3, 4)
    x = (torch.rand(9, 2, 70) < 0.3).float()
    assert error(neuron(snn.SpikeTensor.from_dense(x)), neuron(x)) < 1e-5
    out = neuron.double()(x.double())
    assert out.dtype == torch.float64 and out.shape == (9, 2, 9)


def test_state_quant():
    neuron = snn.AssociativeLeaky(5, 3, 4, use_q_projection=False)
    x = torch.randn(9, 2, 5)
    neuron.state_quant, neuron.output = torch.round, False
    assert same_bits(neuron(x), neuron(x).round())


@pytest.mark.parametrize("query", [False, True])
def test_compiled(query):
    torch._dynamo.reset()
    neuron = snn.AssociativeLeaky(5, 3, 4, use_q_projection=query)
    x = 2 * torch.randn(9, 2, 5)
    results = []
    for call in (neuron, torch.compile(neuron, fullgraph=True, backend="aot_eager")):
        neuron.zero_grad()
        out = call(x)
        (out * torch.linspace(-1, 2, out.shape[2])).sum().backward()
        results.append((out, *(p.grad for p in neuron.parameters())))
    assert all(map(same_bits, *results))


ERRORS = {
    "sizes": (lambda: snn.AssociativeLeaky(5, 0, 4), "d_value must be positive, not 0"),
    "neurons": (lambda: snn.AssociativeLeaky(5, 3, 4, 13), "13, but d_value . d_key is 12"),
    "square": (lambda: snn.AssociativeLeaky.from_num_spiking_neurons(5, 12), "square, not 12"),
    "none": (lambda: snn.AssociativeLeaky.from_num_spiking_neurons(5, 0), "square, not 0"),
    "input": (lambda: snn.AssociativeLeaky(5, 3, 4)(torch.zeros(3, 2, 4)), r"\[T, B, 5\]"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    call, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        call()
