"""The neurons of snnTorch 1.0.0 against the real ones: bit for bit, with their conventions."""

import inspect
import warnings

import pytest
import snntorch
import torch

import bitspike as snn
from helpers.compare import dense, error, same_bits
from helpers.peers import PEERS

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("poisoned")]

LAYERS = [
    pytest.param(peer, reset, delay, id=f"{peer}, {reset}{'' if delay else ' at once'}")
    for peer in PEERS
    for reset in peer.resets
    for delay in peer.delays
]
all_layers = pytest.mark.parametrize("peer, reset, delay", LAYERS)
all_peers = pytest.mark.parametrize("peer", PEERS, ids=str)


def options(peer, reset, delay, **others):
    """The arguments of a reset; without an immediate one, snnTorch's neurons take no flag."""
    timing = dict(reset_delay=delay) if len(peer.delays) > 1 else {}
    return dict(reset_mechanism=reset) | timing | others


def steps(neuron, x, states):
    """A sequence through single steps: what each call returns, stacked."""
    results = []
    for current in x:
        results.append(neuron(current, *states))
        # Spikes that come back are a state as well.
        states = results[-1][-len(states) :]
    return [torch.stack(y) for y in zip(*results, strict=True)]


@all_layers
def test_steps_and_sequences(peer, reset, delay):
    """Some ten random layers, 10^5 neuron-steps each."""
    for _ in range(10):
        theirs, ours = peer.pair(**options(peer, reset, delay))
        x, states = peer.inputs()
        with torch.no_grad():
            wanted = steps(theirs, x, states)
            assert 0.01 < wanted[0].ne(0).float().mean() < 0.7
            for actual in (
                steps(ours, x, states),
                peer.twin(ours, **options(peer, reset, delay))(x, *states),
            ):
                assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))


@all_layers
def test_values_at_the_edge_of_float32(peer, reset, delay):
    inf, nan, tiny, huge = float("inf"), float("nan"), 1e-45, 3e38
    values = torch.tensor([0.0, -0.0, 1.0, -1.0, inf, -inf, nan, tiny, -tiny, 1e-39, huge, -huge])
    theirs, ours = peer.pair(**options(peer, reset, delay))
    x, states = peer.inputs()
    x = torch.where(torch.rand(x.shape) < 0.02, values[torch.randint(len(values), x.shape)], x)
    states = [torch.where(torch.rand(y.shape) < 0.3, -0.0, y) for y in states]
    with torch.no_grad():
        wanted = steps(theirs, x, states)
        whole = peer.twin(ours, **options(peer, reset, delay))(x, *states)
        for actual in (steps(ours, x, states), whole):
            assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))


@all_layers
def test_gradients(peer, reset, delay):
    learned = {"learn_threshold": True}
    theirs, ours = peer.pair(**options(peer, reset, delay, **learned))
    x, states = peer.inputs(steps=12)
    twin = peer.twin(ours, **options(peer, reset, delay, **learned))
    weights = torch.randn(1 + len(states), *x.shape)
    gradients = []
    for neuron in (theirs, ours, twin):
        inputs = [y.clone().requires_grad_() for y in (x, *states)]
        if neuron is twin:
            results = neuron(*inputs)
        else:
            results = steps(neuron, inputs[0], inputs[1:])
        loss = sum((y * w).sum() for y, w in zip(results, weights, strict=False))
        names, parameters = zip(*neuron.named_parameters(), strict=True)
        # The membrane of `Alpha` decides the reset alone.
        gradients.append(
            torch.autograd.grad(
                loss, [*inputs, *parameters], allow_unused=True, materialize_grads=True
            )
        )
        assert names == tuple(name for name, _ in theirs.named_parameters())
    for actual in gradients[1:]:
        assert all(error(a, w) < 1e-5 for a, w in zip(actual, gradients[0], strict=True))


# Calling conventions


@all_peers
@pytest.mark.parametrize("output", [False, True])
def test_hidden_states(peer, output):
    theirs, ours = peer.pair(init_hidden=True, output=output)
    twin = peer.twin(ours, init_hidden=True, output=output)
    x, _ = peer.inputs(steps=12)
    wanted = [theirs(current) for current in x]
    actual = [ours(current) for current in x]
    whole = twin(x)
    if not output:
        wanted, actual, whole = [(y,) for y in wanted], [(y,) for y in actual], (whole,)
    for w, a in zip(wanted, actual, strict=True):
        assert all(same_bits(one, other) for one, other in zip(w, a, strict=True))
    stacked = [torch.stack(y) for y in zip(*wanted, strict=True)]
    assert all(same_bits(one, other) for one, other in zip(stacked, whole, strict=True))
    for name in peer.states:
        for neuron in (ours, twin):
            assert same_bits(getattr(theirs, name), getattr(neuron, name)), name
    assert same_bits(theirs.reset, ours.reset)


@all_peers
def test_hidden_states_in_chunks(peer):
    _, ours = peer.pair(init_hidden=True)
    whole, chunked = (peer.twin(ours, init_hidden=True) for _ in range(2))
    x, _ = peer.inputs(steps=12)
    parts = torch.cat([dense(chunked(part)) for part in x.split([5, 1, 6])])
    assert same_bits(whole(x), parts)


@all_peers
def test_omitted_states_and_other_batch_sizes(peer):
    theirs, ours = peer.pair()
    for samples in (4, 4, 7, 7, 2):
        current = peer.inputs(steps=1, samples=samples)[0][0]
        wanted, actual = theirs(current), ours(current)
        assert all(same_bits(w, a) for w, a in zip(wanted, actual, strict=True))


@all_peers
def test_reset_mem(peer):
    theirs, ours = peer.pair()
    for method in ("reset_mem", peer.init):
        for neuron in (theirs, ours):
            neuron(peer.inputs(steps=1)[0][0])
        wanted, actual = getattr(theirs, method)(), getattr(ours, method)()
        if len(peer.states) == 1:
            wanted, actual = (wanted,), (actual,)
        for name, w, a in zip(peer.states, wanted, actual, strict=True):
            assert same_bits(w, a) and a is getattr(ours, name)


@all_peers
def test_states_beside_init_hidden_are_refused(peer):
    x, states = peer.inputs(steps=1)
    theirs, ours = peer.pair(init_hidden=True)
    with pytest.raises(TypeError, match="init_hidden=True"):
        theirs(x[0], *states)
    with pytest.raises(TypeError, match=peer.states[0]):
        ours(x[0], *states)


@all_peers
def test_detach_and_reset_hidden(peer):
    _, ours = peer.pair(init_hidden=True)
    ours(peer.inputs(steps=1)[0][0].requires_grad_())
    assert all(getattr(ours, name).requires_grad for name in peer.states)
    type(ours).detach_hidden()
    assert not any(getattr(ours, name).requires_grad for name in peer.states)
    type(ours).reset_hidden()
    assert not any(getattr(ours, name).any() for name in peer.states)


@all_peers
def test_state_quantisation_and_inhibition(peer):
    def halves(x):
        return (x * 4).round() / 4

    for switch in (dict(state_quant=halves), dict(inhibition=True)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs, ours = peer.pair(**switch)
        x, states = peer.inputs(steps=12)
        for w, a in zip(steps(theirs, x, states), steps(ours, x, states), strict=True):
            assert same_bits(w, a), switch


@all_peers
def test_state_dict(peer):
    theirs, ours = peer.pair()
    wanted, actual = theirs.state_dict(), ours.state_dict()
    assert list(wanted) == list(actual)
    for name in wanted:
        assert same_bits(wanted[name].float(), actual[name].float()), name
        assert wanted[name].dtype == actual[name].dtype
    theirs.load_state_dict(actual, strict=True)


@all_peers
def test_constructor(peer):
    theirs, ours = (
        list(inspect.signature(getattr(library, peer.name).__init__).parameters.values())
        for library in (snntorch, snn)
    )
    assert [p.name for p in ours[: len(theirs)]] == [p.name for p in theirs]
    assert [p.default for p in ours[: len(theirs)]] == [p.default for p in theirs]
    assert all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in ours[len(theirs) :])
