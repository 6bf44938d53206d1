"""`DeltaLeaky` against snnTorch, by hand, and where snnTorch's raises."""

import copy
import warnings

import pytest
import snntorch
import torch

import bitspike as snn
from helpers.compare import dense, error, same_bits

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("poisoned")]

# Whatever is ignored, in both libraries.
IGNORED = [
    {},
    dict(threshold=0.2, graded_spikes_factor=3.0),
    dict(reset_mechanism="zero", reset_delay=False),
    dict(reset_mechanism="none", output=True),
    dict(state_quant=torch.round, inhibition=True),
]
N = 70


def pair(**arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = snntorch.DeltaLeaky(**arguments), snn.DeltaLeaky(**copy.deepcopy(arguments))
    ours.load_state_dict(theirs.state_dict(), strict=True)
    assert list(theirs.state_dict()) == list(ours.state_dict())
    return theirs, ours


def steps(neuron, x, state):
    results = []
    for current in x:
        spikes, state = neuron(current, state)
        results.append((spikes, *state))
    return [torch.stack(y) for y in zip(*results, strict=True)]


def test_trace():
    neuron = snn.DeltaLeaky(0.5, beta=0.5, multi_step=True)
    spikes, (mem, before) = neuron(torch.tensor([[1.0], [0.5], [-1.0], [0.25], [0.625]]))
    # Changes of 1, 0, -3/2, 1/2 (not above 1/2) and 5/8 + 1/8.
    assert mem[:, 0].tolist() == [1.0, 1.0, -0.5, 0.0, 0.625]
    assert before[:, 0].tolist() == [0.0, 1.0, 1.0, -0.5, 0.0]
    assert dense(spikes)[:, 0].tolist() == [1, 0, 1, 0, 1]


@pytest.mark.parametrize("ignored", IGNORED, ids=lambda x: ", ".join(x) or "nothing else")
@pytest.mark.parametrize("delta", [0.7, 1], ids=str)
def test_parity(ignored, delta):
    for beta in (0.9, 1.05, 0.3 + 0.7 * torch.rand(N)):
        theirs, ours = pair(delta_threshold=delta, beta=beta, **ignored)
        twin = copy.deepcopy(ours)
        twin.multi_step = True
        x = torch.randn(40, 5, N) * 0.7
        state = tuple(torch.randn(2, 5, N))
        wanted = steps(theirs, x, state)
        assert 0.05 < wanted[0].mean() < 0.6
        assert all(same_bits(*y) for y in zip(wanted, steps(ours, x, state), strict=True))
        spikes, states = twin(x, state)
        assert all(same_bits(*y) for y in zip(wanted, (spikes, *states), strict=True))


def test_gradients():
    theirs, ours = pair(delta_threshold=0.7, beta=torch.rand(N), learn_beta=True)
    x, weights = torch.randn(12, 5, N), torch.randn(3, 12, 5, N)
    found = []
    for neuron in (theirs, ours):
        inputs = [x.clone().requires_grad_(), *torch.zeros(2, 5, N).unbind()]
        inputs[1].requires_grad_()
        results = steps(neuron, inputs[0], tuple(inputs[1:]))
        loss = sum((y * w).sum() for y, w in zip(results, weights, strict=True))
        found.append(torch.autograd.grad(loss, [*inputs[:2], neuron.beta]))
    assert all(error(a, w) < 1e-5 for w, a in zip(*found, strict=True))


def test_hidden_state():
    theirs, ours = pair(beta=0.9, init_hidden=True)
    twin = snn.DeltaLeaky(beta=0.9, init_hidden=True, multi_step=True)
    x = torch.randn(20, 3, 5)
    wanted = []
    for current in x:
        spikes, states = theirs(current)
        found, actual = ours(current)
        wanted.append(spikes)
        for one, other in zip((spikes, *states), (found, *actual), strict=True):
            assert same_bits(one, other)
    chunks = [dense(twin(part)[0]) for part in x.split([7, 13])]
    assert same_bits(torch.cat(chunks), torch.stack(wanted))
    with pytest.raises(TypeError, match="mem"):
        ours(x[0], (x[0], x[0]))


def test_positional_arguments():
    theirs, ours = snntorch.DeltaLeaky(0.3, 0.8, 2.0), snn.DeltaLeaky(0.3, 0.8, 2.0)
    assert theirs.delta_threshold == ours.delta_threshold == 0.3
    assert same_bits(theirs.beta, ours.beta) and same_bits(theirs.threshold, ours.threshold)


def test_no_state_is_zero():
    """F41; and a pair of None, which reset_mem returns."""
    neuron = snn.DeltaLeaky(beta=0.9)
    x = torch.randn(4, 6)
    wanted = neuron(x, (torch.zeros(4, 6), torch.zeros(4, 6)))
    for state in (None, neuron.reset_mem(), (torch.zeros(4, 6), None)):
        spikes, states = neuron(x, state)
        assert same_bits(spikes, wanted[0])
        assert all(same_bits(*y) for y in zip(states, wanted[1], strict=True))
    assert neuron.reset_mem() == snntorch.DeltaLeaky(beta=0.9).reset_mem() == (None, None)


def test_hidden_states_are_reset_with_all_others():
    """F5: an unused one in the process breaks the reset of snnTorch's nets."""
    unused = snn.DeltaLeaky(beta=0.9, init_hidden=True)
    used = snn.DeltaLeaky(beta=0.9, init_hidden=True)
    used(torch.ones(3))
    snn.Leaky.reset_hidden()
    assert not used.mem.any() and not used.mem_prev.any() and not unused.mem.numel()


def test_a_learned_delta_threshold():
    delta = torch.nn.Parameter(torch.tensor(0.5))
    neuron = snn.DeltaLeaky(delta, beta=0.9, multi_step=True)
    spikes, _ = neuron(torch.tensor([[0.75], [0.25]]))
    assert "delta_threshold" in neuron.state_dict()
    spikes.sum().backward()
    # ATan's derivative at the distances 1/4 and |0.675 + 0.25 - 0.75| - 1/2.
    at = torch.tensor([0.25, -0.325])
    wanted = -(1 / (1 + (torch.pi * at).square())).sum()
    assert delta.grad.item() == pytest.approx(wanted.item(), rel=1e-5)
