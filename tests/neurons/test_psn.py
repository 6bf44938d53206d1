"""The parallel spiking neurons against sums, convolutions and each other."""

import copy

import pytest
import torch
from torch.nn import functional as F

import bitspike as snn
from helpers.compare import dense

T, K = 9, 4
DOUBLE = torch.float64


def filled(neuron):
    """With weights at which some neurons fire."""
    with torch.no_grad():
        for p in neuron.parameters():
            p.copy_(torch.randn_like(p))
    return neuron


NEURONS = {
    "full": lambda **k: snn.PSN(T, output=True),
    "masked": lambda **k: snn.MaskedPSN(T, K, multi_step=True, **k),
    "sliding": lambda **k: snn.SlidingPSN(K, multi_step=True, **k),
}


def matrix(neuron):
    """``W [T, T]`` by its definition."""
    if isinstance(neuron, snn.SlidingPSN):
        steps = range(T)
        rows = [[neuron.weight[t - s] if 0 <= t - s < K else 0 for s in steps] for t in steps]
        return torch.tensor(rows, dtype=neuron.weight.dtype)
    if isinstance(neuron, snn.MaskedPSN):
        w = neuron.weight.clone()
        for t in range(T):
            for s in range(T):
                if not t - K < s <= t:
                    w[t, s] *= 1 - neuron.masking
        return w
    return neuron.weight


@pytest.mark.parametrize("kind", NEURONS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 2, 2)])
def test_membranes_are_products_over_time(kind, shape):
    neuron = filled(NEURONS[kind]()).double()
    x = torch.randn(T, *shape, dtype=DOUBLE)
    spikes, *_, mem = neuron(x)
    bias = neuron.bias.expand(T)
    with torch.no_grad():
        wanted = [sum(matrix(neuron)[t, s] * x[s] for s in range(T)) + bias[t] for t in range(T)]
    assert torch.allclose(mem, torch.stack(wanted), rtol=1e-10, atol=1e-12)
    assert torch.equal(spikes, (mem > 1).double())


def test_a_sliding_window_is_a_convolution():
    neuron = filled(snn.SlidingPSN(K, multi_step=True)).double()
    x = torch.randn(50, 2, 3, dtype=DOUBLE)
    rows = F.pad(x.permute(1, 2, 0).reshape(6, 1, 50), (K - 1, 0))
    wanted = F.conv1d(rows, neuron.weight.flip(0).view(1, 1, K), neuron.bias.view(1))
    assert torch.allclose(neuron(x)[2].permute(1, 2, 0).reshape(6, 1, 50), wanted, atol=1e-12)


def test_a_sliding_window_is_a_spike_response_without_after_effect():
    neuron = filled(snn.SlidingPSN(K, learn=False, multi_step=True))
    neuron.bias.zero_()
    neuron.weight.copy_(torch.randn(K))
    x = torch.randn(30, 2, 3)
    response = snn.SRM0(neuron.weight, torch.zeros(1), multi_step=True)
    assert torch.allclose(neuron(x)[2], response(x)[3], atol=1e-5)


@pytest.mark.parametrize("kind", ["masked", "sliding"])
@pytest.mark.parametrize("k", [1, 2, T])
def test_single_steps_have_the_bits_of_the_sequence(kind, k):
    make = {"masked": lambda: snn.MaskedPSN(T, k), "sliding": lambda: snn.SlidingPSN(k)}[kind]
    neuron, x = filled(make()), torch.randn(T, 4, 5)
    neuron.multi_step = True
    whole, *states = neuron(x)
    assert 0 < dense(whole).mean() < 1
    neuron.multi_step, last = False, [None] * len(states)
    snn.utils.reset(neuron)
    for t, current in enumerate(x):
        spikes, *last = neuron(current, *last)
        assert torch.equal(spikes, dense(whole)[t])
        for state, wanted in zip(last, states, strict=True):
            assert torch.equal(state, wanted[t])
    if kind == "masked":  # A second sequence does not see the first.
        for t, current in enumerate(x):
            spikes, *last = neuron(current, *last)
            assert torch.equal(spikes, dense(whole)[t]) and torch.equal(last[-1], states[-1][t])


def test_a_sliding_window_goes_on_between_sequences():
    neuron = filled(snn.SlidingPSN(K, init_hidden=True, multi_step=True))
    x = torch.randn(20, 2, 3)
    whole = dense(neuron(x))
    snn.utils.reset(neuron)
    assert torch.equal(torch.cat([dense(neuron(part)) for part in x.split([2, 0, 1, 17])]), whole)


@pytest.mark.parametrize("masking", [0.0, 0.25, 1.0])
def test_masking(masking):
    neuron = filled(NEURONS["masked"](masking=masking)).double()
    assert torch.equal(neuron.masked_weight(), matrix(neuron))
    full = snn.PSN(T, output=True).double()
    with torch.no_grad():
        full.weight.copy_(neuron.masked_weight())
        full.bias.copy_(neuron.bias)
    x = torch.randn(T, 2, 3, dtype=DOUBLE, requires_grad=True)
    mems = [neuron(x)[3], full(x)[1]]
    assert torch.allclose(*mems, rtol=1e-10, atol=1e-12)
    grads = [torch.autograd.grad(mem.square().sum(), x, retain_graph=True)[0] for mem in mems]
    assert torch.allclose(*grads, rtol=1e-9, atol=1e-10)
    (reach,) = torch.autograd.grad(mems[0][2].sum(), x)
    assert (reach[3:] != 0).any() == (masking < 1)
    neuron.multi_step = False
    if masking < 1:
        with pytest.raises(ValueError, match="masking must be 1 for single steps"):
            neuron(x[0])
        neuron.masking = 1.0
    assert neuron(x[0])[0].shape == (2, 3)


def test_only_weights_in_the_window_learn():
    neuron = snn.MaskedPSN(T, K, multi_step=True)
    neuron(torch.randn(T, 4, 5))[3].square().sum().backward()
    window = torch.ones(T, T).tril() * torch.ones(T, T).triu(1 - K)
    assert torch.equal(neuron.weight.grad != 0, window == 1) and neuron.bias.grad.all()


def test_the_full_neuron_sees_the_future():
    neuron = filled(snn.PSN(T, output=True))
    x = torch.randn(T, 2, 3)
    later = x.clone()
    later[-1] += 1
    assert not torch.equal(neuron(x)[1][0], neuron(later)[1][0])
    for causal in (NEURONS["masked"](), NEURONS["sliding"]()):
        filled(causal)
        assert torch.equal(causal(x)[-1][:-1], causal(later)[-1][:-1])


def test_spikes_are_packed_and_packed_inputs_count_their_numbers():
    x = (torch.rand(T, 2, 70) < 0.3).float()
    for make in NEURONS.values():
        neuron = filled(make())
        spikes = neuron(x)[0]
        assert isinstance(spikes, snn.SpikeTensor)
        assert torch.equal(dense(spikes), dense(neuron(snn.SpikeTensor.from_dense(x))[0]))


@pytest.mark.parametrize("inhibition", [snn.KWTA(1), snn.KWTA(1, axis=2)])
def test_winners_compete_in_each_step(inhibition):
    neuron = filled(snn.SlidingPSN(K, inhibition=inhibition, multi_step=True))
    x = torch.randn(T, 2, 3, 4) * 3
    spikes = dense(neuron(x)[0])
    other = copy.deepcopy(neuron)
    other.multi_step, other.init_hidden = False, True
    assert torch.equal(torch.stack([other(current) for current in x]), spikes) and spikes.any()
    assert spikes.sum(inhibition.axis + 1 if inhibition.axis else (2, 3)).max() == 1


@pytest.mark.parametrize("kind", ["full", "masked"])
@pytest.mark.parametrize("steps", [0, 1, T - 1, T + 1])
def test_another_length_is_refused(kind, steps):
    with pytest.raises(ValueError, match=f"must have {T} steps"):
        NEURONS[kind]()(torch.rand(steps, 2, 3))


def test_errors():
    for make in (lambda: snn.PSN(0), lambda: snn.SlidingPSN(0), lambda: snn.MaskedPSN(4, 5)):
        with pytest.raises(ValueError, match="must be"):
            make()
    with pytest.raises(ValueError, match="masking must be from 0 to 1"):
        snn.MaskedPSN(4, 2, masking=1.5)
