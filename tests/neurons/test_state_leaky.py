"""`StateLeaky` against snnTorch 1.0.0, double precision, and numbers worked out by hand."""

import copy
import math

import pytest
import snntorch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import bitspike as snn
from bitspike import surrogate
from bitspike.ops import _native
from helpers.compare import dense, error, same_bits

pytestmark = pytest.mark.isa


def pair(*args, **kwargs):
    """The same neuron of snnTorch and of bitspike, by way of a checkpoint."""
    theirs = snntorch.StateLeaky(*args, **kwargs)
    ours = snn.StateLeaky(*args, **kwargs)
    for value in theirs.state_dict().values():
        if value.is_floating_point() and value.numel() > 1:
            value.mul_(0.9)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return theirs, ours


def assert_same_spikes(found, wanted, membrane, threshold):
    """Spikes agree, except where the membrane's last bits decide."""
    close = (membrane - threshold).abs() < 1e-5 * membrane.abs().max()
    assert torch.equal(dense(found)[~close], wanted[~close])
    assert close.float().mean() < 0.01


@given(
    steps=st.integers(1, 40),
    channels=st.integers(1, 70),
    beta=st.floats(0, 1),
    vector=st.booleans(),
    threshold=st.floats(0.25, 2),
    truncation=st.none() | st.integers(1, 45),
)
@settings(max_examples=60)
def test_equals_snntorch(steps, channels, beta, vector, threshold, truncation):
    beta = torch.rand(channels) if vector else beta
    kwargs = dict(threshold=threshold, kernel_truncation_steps=truncation)
    theirs, ours = pair(beta, channels, **kwargs)
    x = torch.randn(steps, 3, channels)
    wanted, wanted_membrane = theirs(x)
    spikes, membrane = ours(x)
    assert isinstance(spikes, snn.SpikeTensor)
    assert error(membrane, wanted_membrane) < 1e-5
    assert_same_spikes(spikes, wanted, wanted_membrane, threshold)
    assert torch.equal(dense(spikes), (membrane > threshold).float())


@pytest.mark.parametrize("truncation", [None, 6])
@pytest.mark.parametrize("factor", [1.0, 1.5])
def test_gradients_equal_snntorch(truncation, factor):
    kwargs = dict(learn_beta=True, learn_threshold=True, kernel_truncation_steps=truncation)
    theirs, ours = pair(torch.rand(20), 20, **kwargs)
    # snnTorch multiplies by the factor twice.
    ours.graded_spikes_factor.fill_(factor)
    theirs.graded_spikes_factor.fill_(math.sqrt(factor))
    x, weights = torch.randn(15, 4, 20), torch.randn(2, 15, 4, 20)
    results = []
    for neuron in (theirs, ours):
        leaf = x.clone().requires_grad_()
        spikes, membrane = neuron(leaf)
        (spikes * weights[0] + membrane * weights[1]).sum().backward()
        results.append((leaf.grad, neuron.tau.grad, neuron.threshold.grad))
    for wanted, found in zip(*results, strict=True):
        assert error(found, wanted) < 1e-4


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("truncation", [None, 7])
@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999, 1.0])
def test_long_sums_in_double_precision(exact, truncation, beta):
    x = torch.randn(300, 2, 5)
    neuron = snn.StateLeaky(beta, 5, kernel_truncation_steps=truncation, exact_decay=exact)
    membrane = neuron(x)[1]
    decay, taps = (beta if exact else math.exp(beta - 1)), truncation or 300
    wanted = torch.stack(
        [
            sum(decay**k * x[t - k].double() for k in range(min(taps, t + 1)))
            for t in range(x.shape[0])
        ]
    )
    assert error(membrane, wanted) < 2e-5


def test_a_trace():
    x = torch.tensor([1.0, 0.5, -0.5, 2.0]).view(4, 1, 1)
    spikes, membrane = snn.StateLeaky(0.5, 1, exact_decay=True)(x)
    assert membrane.flatten().tolist() == [1.0, 1.0, 0.0, 2.0]
    assert dense(spikes).flatten().tolist() == [0, 0, 0, 1]
    truncated = snn.StateLeaky(0.5, 1, exact_decay=True, kernel_truncation_steps=2)
    assert truncated(x)[1].flatten().tolist() == [1.0, 1.0, -0.25, 1.75]
    membrane = snn.StateLeaky(0.0, 1)(torch.tensor([1.0, 0.0]).view(2, 1, 1))[1]
    assert membrane.flatten().tolist() == pytest.approx([1.0, math.exp(-1)])


@pytest.mark.parametrize("truncation", [None, 3])
def test_a_gradient_by_hand(truncation):
    # U = [1, 1.5], and only the membrane of the last step counts: dU/dI = [d, 1], dU/dd = U[0].
    neuron = snn.StateLeaky(
        torch.tensor(0.5), 1, learn_beta=True, exact_decay=True, kernel_truncation_steps=truncation
    )
    x = torch.ones(2, 1, 1, requires_grad=True)
    neuron(x)[1][-1].sum().backward()
    assert x.grad.flatten().tolist() == [0.5, 1]
    # d = 1 - 1/τ with τ = 2.
    assert neuron.tau.grad.item() == 0.25


@pytest.mark.parametrize("kind", surrogate.ALL)
def test_equals_its_specification(kind, monkeypatch):
    neuron = snn.StateLeaky(
        torch.rand(70), 70, spike_grad=kind(), learn_beta=True, learn_threshold=True
    )
    results = []
    for reference in (False, True):
        if reference:
            monkeypatch.setattr("bitspike.ops.route.refusal", lambda *_: "the test asks for it")
        x = torch.randn(20, 3, 70, generator=torch.Generator().manual_seed(1)).requires_grad_()
        neuron.zero_grad()
        spikes, membrane = neuron(x)
        assert isinstance(spikes, snn.SpikeTensor) != reference
        ((spikes + 0.1 * membrane) * torch.linspace(-1, 2, 70)).sum().backward()
        results.append((spikes, membrane, x.grad, neuron.tau.grad, neuron.threshold.grad))
    for i, (found, wanted) in enumerate(zip(*results, strict=True)):
        assert same_bits(found, wanted) if i < 2 else error(found, wanted) < 1e-5


def test_threads_and_isas_change_nothing(threads, force_isa):
    neuron, x = snn.StateLeaky(torch.rand(700), 700), torch.randn(50, 4, 700)
    results = []
    for isa in _native.describe()["isas"]:
        force_isa(isa)
        for count in (1, 2):
            threads(count)
            leaf = x.clone().requires_grad_()
            spikes, membrane = neuron(leaf)
            (spikes.sum() + membrane.square().sum()).backward()
            results.append((spikes, membrane, leaf.grad))
    for result in results[1:]:
        assert all(map(same_bits, result, results[0]))


# What calls return


def test_without_output_the_membrane_alone():
    x = torch.randn(5, 2, 3)
    theirs, ours = pair(0.9, 3, output=False)
    assert error(ours(x), theirs(x)) < 1e-6
    assert same_bits(ours(x), snn.StateLeaky(0.9, 3)(x)[1])
    with pytest.warns(UserWarning, match="without output"):
        snn.StateLeaky(0.9, 3, output=False, learn_threshold=True)


def test_graded_spikes_count_once():
    x = torch.full((3, 1, 2), 2.0)
    for factor in (2.0, torch.tensor([2.0, 3.0])):
        spikes, _ = snn.StateLeaky(0.9, 2, graded_spikes_factor=factor)(x)
        assert type(spikes) is torch.Tensor
        assert torch.equal(spikes, torch.ones(3, 1, 2) * factor)


def test_state_quant():
    neuron = snn.StateLeaky(0.9, 3, state_quant=torch.round)
    spikes, membrane = neuron(torch.randn(9, 2, 3))
    assert same_bits(membrane, membrane.round())
    assert torch.equal(dense(spikes), (membrane > 1).float())


@pytest.mark.filterwarnings("ignore::bitspike.ReferencePathWarning")
@pytest.mark.parametrize("truncation", [None, 3])
def test_dtypes(truncation):
    neuron = snn.StateLeaky(0.9, 3, kernel_truncation_steps=truncation)
    for dtype, state in ((torch.float64, torch.float64), (torch.bfloat16, torch.float32)):
        spikes, membrane = neuron(torch.randn(9, 2, 3).to(dtype))
        assert (spikes.dtype, membrane.dtype) == (dtype, state)
    assert not isinstance(neuron(torch.randn(9, 2, 3).double())[0], snn.SpikeTensor)


def test_multi_step_has_no_effect():
    x = torch.randn(9, 2, 3)
    a, b = (snn.StateLeaky(0.9, 3, multi_step=m)(x)[1] for m in (False, True))
    assert same_bits(a, b)


def test_members():
    theirs, ours = pair(torch.tensor([0.2, 0.9]), 2, learn_beta=True)
    assert error(ours.beta, theirs.beta) < 1e-7
    assert error(ours.tau, theirs.tau) == 0
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    # snnTorch's second parameter never gets a gradient.
    assert [name for name, _ in ours.named_parameters()] == ["tau"]
    assert not hasattr(ours, "mem_reset") and not hasattr(ours, "fire_inhibition")
    twin = copy.deepcopy(ours)
    assert same_bits(twin(torch.ones(3, 1, 2))[1], ours(torch.ones(3, 1, 2))[1])
    snn.utils.reset(ours)


def test_compiled():
    torch._dynamo.reset()
    neuron = snn.StateLeaky(torch.rand(9), 9, learn_beta=True)
    x = torch.randn(7, 3, 9)
    for call in (neuron, torch.compile(neuron, fullgraph=True, backend="aot_eager")):
        neuron.zero_grad()
        spikes, membrane = call(x)
        (spikes.sum() + membrane.square().sum()).backward()
        if call is neuron:
            wanted = spikes, membrane, neuron.tau.grad.clone()
    assert type(spikes) is snn.SpikeTensor
    assert all(map(same_bits, (spikes, membrane, neuron.tau.grad), wanted))


ERRORS = {
    "beta": (lambda: snn.StateLeaky(torch.rand(4), 3), r"beta must have shape .* \(3,\)"),
    "truncation": (
        lambda: snn.StateLeaky(0.9, 3, kernel_truncation_steps=0),
        "kernel_truncation_steps must be at least 1, not 0",
    ),
    "channels": (
        lambda: snn.StateLeaky(torch.full((3,), 0.9), 3)(torch.zeros(5, 2, 4)),
        r"\[T, B, 3\]",
    ),
    "axes": (lambda: snn.StateLeaky(0.9, 3)(torch.zeros(5, 3)), r"\[T, B, C\]"),
    "threshold": (
        lambda: snn.StateLeaky(0.9, 3, threshold=torch.ones(2))(torch.zeros(5, 2, 3)),
        "threshold has shape",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case):
    call, message = ERRORS[case]
    with pytest.raises(ValueError, match=message):
        call()
