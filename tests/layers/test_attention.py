"""`SpikingSelfAttention` and the products of spikes that it rests on."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from bitspike.spikes.attention import attend, both
from bitspike.spikes.table import unpacked_operations
from helpers.compare import error, same_bits

KINDS = ["ssa", "qk_token", "qk_channel", "sdsa"]
kinds = pytest.mark.parametrize("kind", KINDS)


def spikes(*shape, density=0.3):
    return (torch.rand(shape) < density).float()


def packed(x):
    return snn.SpikeTensor.from_dense(x, 1)


def integers(q, k, v, heads):
    """``Σ_j (q_i · k_j) v_j`` of each head, in whole numbers."""
    parts = [x.long().chunk(heads, -1) for x in (q, k, v)]
    sums = [(a @ b.transpose(-2, -1)) @ c for a, b, c in zip(*parts, strict=True)]
    return torch.cat(sums, -1)


# Products


@pytest.mark.isa
@settings(max_examples=60)
@given(
    samples=st.sampled_from([(), (1,), (2, 3), (0,)]),
    tokens=st.sampled_from([0, 1, 2, 7, 63, 64, 65]),
    heads=st.integers(1, 3),
    width=st.sampled_from([1, 3, 31, 32, 64, 65, 130]),
    density=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    scale=st.sampled_from([1.0, 0.125, 0.3]),
    seed=st.integers(0, 2**20),
)
def test_packed_attention_is_that_of_integers(samples, tokens, heads, width, density, scale, seed):
    torch.manual_seed(seed)
    q, k, v = (spikes(*samples, tokens, heads * width, density=density) for _ in range(3))
    wanted = integers(q, k, v, heads).float() * scale
    assert same_bits(attend(q, k, v, heads, scale), wanted)
    if samples:
        assert same_bits(attend(packed(q), packed(k), packed(v), heads, scale), wanted)
    wide = (x.double() for x in (q, k, v))
    assert error(attend(*wide, heads, scale), wanted) < 1e-6


def test_attention_of_other_spikes_is_another():
    q, k, v = (spikes(2, 9, 70) for _ in range(3))
    wanted = attend(q, k, v, 2, 0.125)
    swapped = packed(k), packed(v), packed(q)
    assert not same_bits(attend(*swapped, 2, 0.125), wanted)
    assert not same_bits(attend(packed(q), packed(k), packed(v), 1, 0.125), wanted)


def test_shared_spikes():
    a, b = spikes(3, 2, 5, 70), spikes(3, 2, 1, 70)
    assert same_bits(both(a, b), a * b)
    shared = both(packed(a), packed(b))
    assert isinstance(shared, snn.SpikeTensor) and same_bits(shared, a * b)
    assert same_bits(both(packed(a), b), a * b)


@pytest.mark.parametrize("tokens", [4, 40])
def test_packed_gradients(tokens):
    """Those of the specification in torch, which finite differences confirm."""
    dense = [spikes(2, tokens, 12) for _ in range(3)]
    grad = torch.randn(2, tokens, 12)
    for function in (
        lambda q, k, v: attend(q, k, v, 3, 0.125),
        lambda q, k, v: both(q, both(k, v)),
    ):
        found = []
        for pack in (torch.clone, packed):
            given = [pack(x).requires_grad_() for x in dense]
            found.append(torch.autograd.grad(function(*given), given, grad))
        for a, b in zip(*found, strict=True):
            assert error(a, b) < 1e-5
    wide = [x[:, :4].double().requires_grad_() for x in dense]
    assert torch.autograd.gradcheck(lambda q, k, v: attend(q, k, v, 3, 0.125), wide)


def test_some_gradients_and_second_ones():
    q, k, v = (spikes(2, 5, 8) for _ in range(3))
    for wanted in range(3):
        given = [packed(x) for x in (q, k, v)]
        given[wanted].requires_grad_()
        attend(*given, 2, 0.5).sum().backward()
        assert [x.grad is not None for x in given] == [i == wanted for i in range(3)]
    results = []
    for pack in (torch.clone, packed):
        given = [pack(x).requires_grad_() for x in (q, k, v)]
        (first,) = torch.autograd.grad(
            attend(*given, 2, 0.5).square().sum(), given[:1], create_graph=True
        )
        results.append(torch.autograd.grad(first.square().sum(), given))
    for a, b in zip(*results, strict=True):
        assert error(a, b) < 1e-5


# The layer


def layer(kind, dim=24, heads=3, **options):
    """A layer whose neurons fire now and then."""
    made = snn.SpikingSelfAttention(dim, heads, kind, **options)
    with torch.no_grad():
        for norm in made.modules():
            if isinstance(norm, nn.BatchNorm1d):
                norm.running_mean.uniform_(-0.2, 0.2)
                norm.weight.uniform_(1.0, 2.0)
                norm.bias.uniform_(0.2, 0.9)
    return made


def by_hand(made, x, kind):
    """The equations, on floats, with the neurons of the layer."""

    def projected(part, x):
        current = part.linear(x)
        return fire(part.neuron, part.norm(current.flatten(0, -2)).view(current.shape))

    def fire(neuron, current):
        spikes, mem = [], torch.zeros_like(current[0])
        for step in current:
            spike = (mem > neuron.threshold).float()
            mem = neuron.beta * mem + step - spike * neuron.threshold
            spikes.append((mem > neuron.threshold).float())
        return torch.stack(spikes)

    q, k = projected(made.queries, x), projected(made.keys, x)
    v = projected(made.values, x) if kind in ("ssa", "sdsa") else None
    heads = made.heads
    if kind == "ssa":
        mixed = fire(made.neuron, integers(q, k, v, heads).float() * made.scale)
    elif kind == "qk_token":
        gate = torch.stack([part.sum(-1) for part in q.chunk(heads, -1)], -1)
        open_ = fire(made.neuron, gate)
        mixed = torch.cat(
            [part * open_[..., i : i + 1] for i, part in enumerate(k.chunk(heads, -1))], -1
        )
    elif kind == "qk_channel":
        mixed = fire(made.neuron, q.sum(2, keepdim=True)) * k
    else:
        mixed = fire(made.neuron, (q * k).sum(2, keepdim=True)) * v
    return projected(made.out, mixed), mixed


@kinds
@pytest.mark.parametrize("training", [True, False])
def test_the_equations(kind, training):
    torch.manual_seed(1)
    made = layer(kind).train(training)
    x = spikes(6, 2, 7, 24)
    with torch.no_grad():
        wanted, mixed = by_hand(copy.deepcopy(made), x, kind)
        assert 0.02 < wanted.mean() < 0.98 and 0.02 < mixed.mean() < 0.98
        assert (made.run_sequence(x) != wanted).float().mean() < 2e-3  # sums in another order


@kinds
def test_steps_sequences_and_bits(kind):
    torch.manual_seed(2)
    made = layer(kind).eval()
    # Weights whose sums are exact in any order.
    with torch.no_grad():
        for name, x in made.named_parameters():
            x.copy_((x * 64).round() / 64 if "linear" in name else torch.ones_like(x))
        for name, x in made.named_buffers():
            if "running_mean" in name:
                x.fill_(-0.125)
            if "running_var" in name:
                x.fill_(0.25 - 1e-5)
    x = spikes(6, 2, 7, 24)
    steps = torch.stack([made(step) for step in x])
    assert 0.02 < steps.mean() < 0.98
    for form in (x, packed(x), snn.SpikeTensor.from_dense(x)):
        snn.utils.reset(made)
        whole = made.run_sequence(form)
        assert isinstance(whole, snn.SpikeTensor) and same_bits(whole, steps)
    snn.utils.reset(made)
    parts = [snn.unroll(nn.Sequential(made), part) for part in packed(x).split([1, 3, 2])]
    assert same_bits(torch.cat(parts), steps)
    assert not same_bits(made.run_sequence(x), steps)  # it goes on from the states
    with torch.no_grad():
        fresh = layer(kind, multi_step=True).eval()
        fresh.load_state_dict(made.state_dict())
        assert same_bits(fresh(x), steps)
        for other in (copy.deepcopy(made), pickle.loads(pickle.dumps(made.eval()))):
            assert same_bits(other.run_sequence(x), steps)


@kinds
def test_spikes_stay_packed(kind):
    made = layer(kind, dim=64, heads=1).eval()
    x = packed(spikes(5, 2, 16, 64))
    before = dict(unpacked_operations())
    with torch.no_grad():
        made.run_sequence(x)
    added = {name for name, count in unpacked_operations().items() if count != before.get(name, 0)}
    assert added <= ({"aten.mul.Tensor"} if kind == "qk_token" else set())


@kinds
def test_gradients_reach_all_weights(kind):
    torch.manual_seed(3)
    x = spikes(6, 2, 7, 24)
    grads = []
    for form in (x, packed(x)):
        torch.manual_seed(4)
        made = layer(kind)
        form.requires_grad_()
        made.run_sequence(form).sum().backward()
        grads.append([form.grad, *(p.grad for p in made.parameters())])
        assert all(g is not None and g.abs().sum() > 0 for g in grads[-1])
    for a, b in zip(*grads, strict=True):
        assert error(a, b) < 1e-2


def test_neurons_of_ones_own_and_double_precision():
    made = snn.SpikingSelfAttention(
        8, 2, neuron=lambda threshold: snn.Leaky(0.75, threshold, init_hidden=True)
    )
    neurons = [m for m in made.modules() if isinstance(m, snn.Leaky)]
    assert [float(n.threshold) for n in neurons] == [1.0, 1.0, 1.0, 0.5, 1.0]
    wide = layer("ssa").double()
    assert wide.run_sequence(spikes(3, 2, 4, 24)).shape == (3, 2, 4, 24)


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda: snn.SpikingSelfAttention(10, 3), "dim must be a multiple of heads=3, not 10"),
        (lambda: snn.SpikingSelfAttention(10, 0), "dim must be a multiple of heads=0"),
        (lambda: snn.SpikingSelfAttention(8, 2, "softmax"), "kind must be one of 'ssa'"),
        (lambda: layer("ssa")(torch.rand(2, 4, 23)), r"x must be \[B, N, 24\] at each step"),
        (lambda: layer("ssa").run_sequence(torch.rand(2, 4, 24)), r"x must be \[B, N, 24\]"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
