"""Scans that are repeated until their resets are right against the loop over time."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import bitspike as snn
from helpers.compare import dense, error, same_bits

MECHANISMS = ("subtract", "zero", "none", "subtract_beta")


def pair(**options):
    return [kind(multi_step=True, **options) for kind in (snn.ScanLeaky, snn.Leaky)]


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9, 1.0, torch.linspace(0, 1, 7)])
def test_bits_of_leaky(mechanism, beta):
    ours, theirs = pair(beta=beta, threshold=0.7, reset_mechanism=mechanism)
    x = torch.randn(60, 4, 7) * 0.4 + 0.2
    start = torch.randn(4, 7)
    found, wanted = ours(x, start), theirs(x, start)
    assert 0.02 < dense(wanted[0]).mean() < 0.98
    assert isinstance(found[0], snn.SpikeTensor)
    assert all(same_bits(a, b) for a, b in zip(found, wanted, strict=True))
    assert 1 <= ours.rounds <= 61


@given(
    beta=st.sampled_from([0.25, 0.5, 1.0]),
    steps=st.integers(0, 12),
    neurons=st.integers(0, 3),
    mechanism=st.sampled_from(MECHANISMS),
    seed=st.integers(0, 2**31),
)
def test_dyadic_decays_and_whole_currents(beta, steps, neurons, mechanism, seed):
    """Everything is exact, so that the solution does not depend on an order of summation."""
    x = torch.randint(-3, 5, (steps, 2, neurons), generator=torch.Generator().manual_seed(seed))
    ours, theirs = pair(beta=beta, threshold=2.0, reset_mechanism=mechanism)
    found, wanted = ours(x.float()), theirs(x.float())
    assert all(same_bits(a, b) for a, b in zip(found, wanted, strict=True))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e38])
def test_what_is_not_finite_settles_too(value):
    x = torch.rand(20, 3)
    x[5, 1] = value
    for mechanism in MECHANISMS:
        ours, theirs = pair(beta=0.9, reset_mechanism=mechanism)
        assert all(same_bits(a, b) for a, b in zip(ours(x), theirs(x), strict=True))


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_leaky(mechanism, dtype):
    options = dict(beta=torch.linspace(0.5, 0.95, 7), threshold=0.7, reset_mechanism=mechanism)
    x, start = torch.rand(40, 4, 7, dtype=dtype), torch.rand(4, 7, dtype=dtype)
    weights = torch.randn(40, 4, 7, dtype=dtype)
    grads = []
    for neuron in pair(**options, learn_beta=True, learn_threshold=True):
        neuron.to(dtype)
        leaves = [x.clone().requires_grad_(), start.clone().requires_grad_()]
        spikes, mem = neuron(*leaves)
        (dense(spikes * 1) * weights + mem.square()).sum().backward()
        grads.append([*(leaf.grad for leaf in leaves), neuron.beta.grad, neuron.threshold.grad])
    tolerance = 1e-4 if dtype is torch.float32 else 1e-11
    assert all(error(a, b) < tolerance for a, b in zip(*grads, strict=True))


@pytest.mark.parametrize("threshold", [1.0, 0.75, torch.tensor([0.5, 0.75, 1.0])])
def test_without_a_leak_the_first_guess_is_the_solution(threshold):
    ours, theirs = pair(beta=1.0, threshold=threshold)
    x = torch.randint(0, 5, (200, 4, 3)) / 8  # sums are exact
    spikes = dense(ours(x)[0])
    assert ours.rounds == 1
    assert torch.equal(spikes, dense(theirs(x)[0])) and spikes.mean() > 0.1
    ours(-x + x.amax())
    assert ours.rounds == 1
    ours(torch.randn(200, 4, 3))  # Below 0 and above the threshold it is a guess like others.
    assert ours.rounds > 1


def test_rounds_grow_with_activity():
    rounds = []
    for scale in (0.1, 0.3, 1.0):
        ours, _ = pair(beta=0.9)
        torch.manual_seed(0)
        ours(torch.randn(200, 8, 16) * scale)
        rounds.append(ours.rounds)
    assert rounds[0] < 8 and rounds == sorted(rounds) and rounds[2] <= 201


def test_it_goes_on_with_its_state():
    neuron = snn.ScanLeaky(0.9, init_hidden=True, multi_step=True)
    x = torch.rand(30, 4, 7) * 0.5
    whole = dense(neuron(x))
    snn.utils.reset(neuron)
    assert torch.equal(torch.cat([dense(neuron(part)) for part in x.split([1, 12, 17])]), whole)
    neuron.multi_step = False
    snn.utils.reset(neuron)
    assert torch.equal(torch.stack([neuron(current) for current in x]), whole)


def test_an_overridden_step_is_called_in_a_loop():
    class Bounded(snn.ScanLeaky):
        def step(self, current, mem):
            spikes, (mem,) = super().step(current, mem)
            return spikes, (mem.clamp(-1, 1.5),)

    mem = Bounded(0.9, multi_step=True)(torch.randn(30, 4, 7) * 3)[1]
    assert mem.abs().max() == 1.5 and mem.min() == -1


def test_firing_by_chance_never_settles():
    neuron = snn.ScanLeaky(0.9, spike_grad=lambda x: torch.rand_like(x).round(), multi_step=True)
    with pytest.raises(RuntimeError, match="spike_grad must fire alike"):
        neuron(torch.randn(30, 4, 7))


@pytest.mark.parametrize(
    "options",
    [
        dict(reset_delay=False),
        dict(detach_reset=False),
        dict(inhibition=snn.KWTA(1)),
        dict(state_quant=torch.round),
        dict(order="fire_first"),
        dict(fire_at="ge"),
        dict(spike_range=(-1, 1)),
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_a_scan_cannot_do_is_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        snn.ScanLeaky(0.9, **options)
