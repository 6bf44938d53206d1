"""Neurons that compete: snnTorch's inhibition, and k winners take all."""

import copy
import pickle

import pytest
import snntorch
import torch

import bitspike as snn
from bitspike import surrogate
from helpers.compare import RESETS, dense, same_bits, step_by_step


def theirs_and_ours(**arguments):
    with pytest.warns(UserWarning, match="(?i)inhibition"):
        theirs = snntorch.Leaky(inhibition=True, **arguments)
    with pytest.warns(UserWarning, match="inhibition"):
        ours = snn.Leaky(inhibition=True, **arguments)
    return theirs, ours


@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("mechanism", ["subtract", "zero", "none"])
def test_inhibition_is_snntorchs(mechanism, delay):
    # With a graded factor snnTorch's immediate reset is divided by it, although spikes are not
    # multiplied.
    factor = 1.5 if delay else 1.0
    theirs, ours = theirs_and_ours(
        beta=0.9, graded_spikes_factor=factor, reset_mechanism=mechanism, reset_delay=delay
    )
    x = torch.randint(-2, 5, (40, 6, 9)) / 2  # many ties
    if mechanism == "zero" and not delay:
        # F19 doubles membranes that are suppressed above threshold: here there are none.
        turn = torch.arange(9) == torch.arange(40).view(-1, 1, 1) % 9
        x = torch.where(turn, x.abs(), -x.abs() / 64)
    wanted, actual = (step_by_step(n, x, torch.zeros(6, 9)) for n in (theirs, ours))
    assert wanted[0].sum() > 20
    assert all(same_bits(w, dense(a)) for w, a in zip(wanted, actual, strict=True))


def test_suppressed_neurons_are_reset_by_inhibition_but_not_by_kwta():
    _, ours = theirs_and_ours(beta=1.0, threshold=1.0)
    kwta = snn.Leaky(beta=1.0, threshold=1.0, inhibition=snn.KWTA(1))
    x = torch.tensor([[1.5, 2.0]])
    for neuron, second in ((ours, [[0.5, 1.0]]), (kwta, [[1.5, 1.0]])):
        spikes, mem = neuron(x, torch.zeros(1, 2))
        assert spikes.tolist() == [[0, 1]]
        _, mem = neuron(torch.zeros(1, 2), mem)
        assert mem.tolist() == second


def trace(neuron, currents):
    spikes, membranes = step_by_step(neuron, torch.tensor(currents), torch.zeros(1, 4))
    return dense(spikes)[:, 0].tolist(), membranes[:, 0].tolist()


def test_a_trace_by_hand():
    """beta = 1/2, threshold 1, two winners."""
    currents = [[[1.5, 3.0, 2.0, 0.5]], [[1.0, 1.0, 1.0, 0.0]], [[0.0, 0.0, 0.0, 2.0]]]
    neuron = snn.Leaky(beta=0.5, inhibition=snn.KWTA(2))
    assert trace(neuron, currents) == (
        [[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]],
        # The first neuron waits with 1.5, grows to 1.75, fires, and is reset from 0.875.
        [[1.5, 3.0, 2.0, 0.5], [1.75, 1.5, 1.0, 0.25], [-0.125, -0.25, 0.5, 2.125]],
    )
    at_once = snn.Leaky(beta=0.5, inhibition=snn.KWTA(2), reset_delay=False)
    assert trace(at_once, currents) == (
        [[0, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]],
        [[1.5, 2.0, 1.0, 0.5], [0.75, 1.0, 1.5, 0.25], [0.375, 0.5, 0.75, 1.125]],
    )
    zero = snn.Leaky(beta=0.5, inhibition=snn.KWTA(2), reset_mechanism="zero")
    assert trace(zero, currents)[1] == [
        [1.5, 3.0, 2.0, 0.5],
        [1.75, 1.0, 1.0, 0.25],
        [0.0, 0.5, 0.5, 2.125],
    ]


def test_ties_go_to_the_first():
    neuron = snn.Leaky(beta=0.5, inhibition=snn.KWTA(3))
    spikes, _ = neuron(torch.full((2, 100), 2.0))
    assert spikes.nonzero().tolist() == [[b, n] for b in range(2) for n in range(3)]


@pytest.mark.parametrize("mechanism,delay", RESETS)
@pytest.mark.parametrize("shape", [(7,), (3, 4, 5)])
def test_at_most_k_fire_and_they_are_the_largest(shape, mechanism, delay):
    neuron = snn.Leaky(
        beta=0.9,
        inhibition=snn.KWTA(3),
        reset_mechanism=mechanism,
        reset_delay=delay,
        graded_spikes_factor=2.0,
        multi_step=True,
    )
    spikes, membranes = neuron(torch.randn(30, 4, *shape) * 2)
    spikes, membranes = dense(spikes).flatten(2), membranes.flatten(2)
    assert spikes.unique().tolist() == [0.0, 2.0]
    counts = spikes.count_nonzero(2)
    assert counts.max() == 3
    if delay:
        above = (membranes > 1).sum(2)
        assert torch.equal(counts, above.clamp(max=3))
        fired = membranes.where(spikes > 0, torch.inf).amin(2)
        assert (membranes.where(spikes == 0, -torch.inf).amax(2) <= fired.clamp(min=1)).all()


def test_k_of_all_neurons_is_no_inhibition():
    x = torch.randn(20, 3, 8)
    plain = snn.Leaky(beta=0.8, multi_step=True)
    all_win = snn.Leaky(beta=0.8, inhibition=snn.KWTA(99), multi_step=True)
    assert all(same_bits(a, w) for a, w in zip(all_win(x), plain(x), strict=True))


def test_competition_along_an_axis():
    neuron = snn.Leaky(beta=0.5, inhibition=snn.KWTA(1, axis=1))
    x = torch.rand(2, 4, 3, 3) + 1.5
    spikes, _ = neuron(x)
    assert torch.equal(dense(spikes).argmax(1), x.argmax(1))
    assert (spikes.sum(1) == 1).all()
    with pytest.raises(ValueError, match=r"axis=4, but a membrane is \(2, 3\)"):
        snn.Leaky(beta=0.5, inhibition=snn.KWTA(1, axis=4))(torch.rand(2, 3))


def test_gradients_reach_winners_alone():
    neuron = snn.Leaky(
        beta=0.5, inhibition=snn.KWTA(2), spike_grad=surrogate.straight_through_estimator()
    )
    x = torch.tensor([[0.1, 3.0, 2.0, 0.5]], requires_grad=True)
    neuron(x)[0].sum().backward()
    assert x.grad.tolist() == [[0, 1, 1, 0]]


def test_lstm():
    neuron = snn.SLSTM(3, 8, threshold=0.01, inhibition=snn.KWTA(2), reset_mechanism="zero")
    spikes, _, mem = neuron(torch.randn(5, 3) * 2)
    assert spikes.sum(1).max() == 2
    _, _, after = neuron(torch.zeros(5, 3))
    assert torch.equal(after == 0, dense(spikes) > 0)


def test_copies_and_compiled_code():
    neuron = snn.Leaky(beta=0.5, inhibition=snn.KWTA(2), multi_step=True)
    x = torch.randn(5, 3, 6) * 2
    wanted = neuron(x)
    torch._dynamo.reset()
    compiled = torch.compile(neuron, fullgraph=True, backend="aot_eager")
    for other in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron)), compiled):
        assert all(same_bits(a, w) for a, w in zip(other(x), wanted, strict=True))
    torch._dynamo.reset()


def test_errors():
    for k in (0, -1, 1.5, True, None):
        with pytest.raises(ValueError, match="k must be a positive integer"):
            snn.KWTA(k)
    with pytest.raises(TypeError, match="inhibition must be True, False or a KWTA, not 3"):
        snn.Leaky(beta=0.5, inhibition=3)
    with pytest.raises(ValueError, match=r"KWTA needs a membrane \[B, \*\]"):
        snn.Leaky(beta=0.5, inhibition=snn.KWTA(1))(torch.rand(3))
