"""RSynaptic: a trace by hand, and what is repaired in snnTorch 1.0.0."""

import copy

import pytest
import torch

import bitspike as snn
from helpers.compare import dense, same_bits


def both(neuron, x):
    """What a sequence returns, which single steps must equal."""
    twin = copy.deepcopy(neuron)
    twin.multi_step = True
    whole = twin(x, *(torch.zeros_like(x[0]) for _ in neuron.STATES))
    states = [torch.zeros_like(x[0]) for _ in neuron.STATES]
    for t, current in enumerate(x):
        states = neuron(current, *states)
        for state, sequence in zip(states, whole, strict=True):
            assert same_bits(state, dense(sequence)[t])
    return [dense(y) for y in whole]


def test_trace():
    """α = β = 1/2, V = 1/4, θ = 1."""
    neuron = snn.RSynaptic(0.5, 0.5, V=0.25, all_to_all=False)
    spikes, syn, mem = both(neuron, torch.tensor([1.5, 0.0, 0.0, 0.25]).view(4, 1, 1))
    # syn: 1.5; 0.75 + 0.25; 0.5 + 0; 0.25 + 0.25
    assert syn.flatten().tolist() == [1.5, 1.0, 0.5, 0.5]
    # mem: 1.5 fires; 0.75 + 1 - 1; 0.375 + 0.5; 0.4375 + 0.5
    assert mem.flatten().tolist() == [1.5, 0.75, 0.875, 0.9375]
    assert spikes.flatten().tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    "reset, delay",
    [(reset, delay) for reset in ("subtract", "zero", "none") for delay in (True, False)],
)
@pytest.mark.parametrize("connection", ["dense", "one to one"])
def test_without_synaptic_memory_it_is_rleaky(reset, delay, connection):
    """F28: with ``reset_delay=False`` snnTorch's resets nothing, or raises.

    Numbers are multiples of 2^-6 and β is 1 or 0, so that no order of addition rounds.
    """
    options = dict(reset_mechanism=reset, reset_delay=delay)
    if connection == "dense":
        options |= dict(linear_features=40)
    else:
        options |= dict(all_to_all=False, V=torch.randint(-32, 32, (40,)) / 64)
    beta = torch.randint(0, 2, (40,)).float()
    simple = snn.RLeaky(beta, **options)
    if connection == "dense":
        with torch.no_grad():
            for x in simple.recurrent.parameters():
                x.copy_((x * 64).round() / 64)
    neuron = snn.RSynaptic(torch.tensor(0.0), beta, **options)
    missing = neuron.load_state_dict(simple.state_dict(), strict=False).missing_keys
    assert missing == ["alpha"]
    x = (torch.randn(20, 3, 40) * 32).round() / 64
    spikes, _, mem = both(neuron, x)
    wanted_spikes, wanted_mem = both(simple, x)
    assert 0.01 < spikes.mean() < 0.7
    assert same_bits(spikes, wanted_spikes) and (mem == wanted_mem).all()


def test_hidden_spikes_are_detached_and_reset():
    """F29: snnTorch leaves ``spk``."""
    neuron = snn.RSynaptic(0.5, 0.5, linear_features=4, init_hidden=True)
    neuron(torch.full((2, 4), 3.0))
    assert neuron.spk.all() and neuron.spk.requires_grad
    snn.RSynaptic.detach_hidden()
    assert not neuron.spk.requires_grad
    snn.RSynaptic.reset_hidden()
    assert not neuron.spk.any()


def test_immediate_resets_with_hidden_states():
    neuron = snn.RSynaptic(0.5, 0.5, linear_features=4, init_hidden=True, reset_delay=False)
    assert neuron(torch.full((2, 4), 1.5)).all()
    assert neuron.mem.allclose(0.5 + neuron.recurrent.bias.expand(2, 4))


def test_fixed_weights_are_converted():
    """F30."""
    neuron = snn.RSynaptic(0.5, 0.5, V=0.1, all_to_all=False, learn_recurrent=False).double()
    spikes, syn, mem = neuron(torch.ones(2, 4, dtype=torch.float64))
    assert spikes.dtype == syn.dtype == mem.dtype == neuron.recurrent.V.dtype == torch.float64
