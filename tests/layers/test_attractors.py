"""`Hopfield`, `RingAttractor`, `WTA`: what they hold, and that it goes where it should."""

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from helpers.compare import error, same_bits

# Hopfield


def signs(*shape):
    return torch.where(torch.rand(shape) < 0.5, 1.0, -1.0)


def recalled(n, count, flipped=0.1):
    """The share of elements that are right after recall from cues with some that are wrong."""
    patterns = signs(count, n)
    memory = snn.Hopfield(n)
    memory.store(patterns)
    cues = torch.where(torch.rand(count, n) < flipped, -patterns, patterns)
    return (memory.recall(cues) == patterns).float().mean().item()


def test_recall_at_a_load_of_a_tenth():
    torch.manual_seed(0)
    assert min(recalled(200, 20) for _ in range(5)) >= 0.95


def test_no_recall_beyond_capacity():
    torch.manual_seed(0)
    assert max(recalled(200, 100) for _ in range(5)) < 0.95


def test_a_memory_by_hand():
    """W = (ΞΞᵀ - K)/N of (1, 1, -1) and (1, -1, -1), and the states that it leads through."""
    memory = snn.Hopfield(3)
    patterns = torch.tensor([[1.0, 1, -1], [1, -1, -1]])
    memory.store(patterns[0])
    memory.store(patterns[1:] > 0)
    assert same_bits(memory.patterns, patterns)
    weight = (patterns.t() @ patterns - 2 * torch.eye(3)) / 3
    assert weight.tolist() == (torch.tensor([[0.0, 0, -2], [0, 0, 0], [-2, 0, 0]]) / 3).tolist()
    s, x = torch.zeros(1, 3), torch.tensor([[[1.0, -1, 0]], [[0.0, 0, 0]], [[0.0, 1, 0.5]]])
    wanted = torch.tensor([[[1.0, -1, 0]], [[1.0, -1, -1]], [[1.0, 1, -1]]])
    for step, state in zip(x, wanted, strict=True):
        field = s @ weight + step
        assert same_bits(memory(step), state)
        s = torch.where(field.abs() < 1e-6, s, field.sign())
        assert same_bits(s, state)  # ties keep the state: element 1 in the second step


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_steps_and_sequences_of_a_memory(dtype):
    memory = snn.Hopfield(70).to(dtype)
    memory.store(signs(9, 70))
    x = (torch.rand(6, 4, 70) < 0.2).to(dtype)
    steps = torch.stack([memory(step) for step in x])
    snn.utils.reset(nn.Sequential(memory))
    assert memory.state.shape == (4, 70) and not memory.state.any()
    assert same_bits(torch.cat([snn.unroll(memory, part) for part in x.split([1, 5])]), steps)
    whole = copy.deepcopy(memory)
    whole.multi_step = True
    packed = snn.SpikeTensor.from_dense(x)
    assert same_bits(whole(packed), steps) and same_bits(whole(x), steps)
    other = snn.Hopfield(70, multi_step=True).to(dtype)
    other.load_state_dict(memory.state_dict())
    assert list(memory.state_dict()) == ["patterns"] and same_bits(other(x), steps)
    assert memory(x[:0].sum(0)).dtype == dtype


# Ring


def bump(ring, neuron, steps=1100):
    """Spikes after a bump was made around a neuron."""
    current = torch.zeros(steps, 1, ring.n)
    distance = (torch.arange(ring.n) - neuron + ring.n / 2) % ring.n - ring.n / 2
    current[:30] = torch.relu(1 - distance.abs() / 8)
    snn.utils.reset(ring)
    return snn.unroll(ring, current).dense()


def drift(ring, spikes):
    """By how many neurons the bump is elsewhere at the end than at the beginning."""
    angles = ring.angle(torch.stack([spikes[50:100].sum(0), spikes[-50:].sum(0)]))
    moved = (angles[1] - angles[0] + math.pi) % (2 * math.pi) - math.pi
    return moved.abs().item() * ring.n / (2 * math.pi)


@pytest.mark.parametrize("n", [32, 64, 101])
def test_the_bump_stays(n):
    ring = snn.RingAttractor(n, init_hidden=True)
    for neuron in (0.0, 0.3 * n, 0.71 * n):
        spikes = bump(ring, neuron)
        wanted = torch.tensor(2 * math.pi * neuron / n)
        found = ring.angle(spikes[-50:].sum(0)).item()
        assert abs(math.remainder(found - wanted.item(), 2 * math.pi)) < 2 * math.pi / n
        assert drift(ring, spikes) < 1
        assert 0.2 < spikes[-50:].mean() < 0.6


def test_a_ring_that_is_turned_drifts_and_one_without_cosine_forgets():
    ring = snn.RingAttractor(64, init_hidden=True)
    weight = ring.recurrent.weight
    weight.copy_(weight.roll(1, 0))  # each neuron excites its neighbour's neighbours
    assert drift(ring, bump(ring, 20.0)) > 1
    silent = snn.RingAttractor(64, J1=0.0, init_hidden=True)
    assert not bump(silent, 20.0)[-50:].any()


def test_the_weights_of_a_ring():
    ring = snn.RingAttractor(5, J0=-2.0, J1=3.0)
    for i in range(5):
        for j in range(5):
            wanted = (-2 + 3 * math.cos(2 * math.pi * (i - j) / 5)) / 5
            assert ring.recurrent.weight[i, j].item() == pytest.approx(wanted, abs=1e-6)
    assert not any(p.requires_grad for p in ring.recurrent.parameters())


def test_steps_and_sequences_of_a_ring():
    ring = snn.RingAttractor(16, init_hidden=True)
    # Weights that add up exactly in any order.
    ring.recurrent.weight.copy_((ring.recurrent.weight * 64).round() / 64)
    x = torch.randint(0, 64, (40, 3, 16)) / 64
    steps = torch.stack([ring(step) for step in x])
    assert 0.1 < steps.mean() < 0.9
    snn.utils.reset(ring)
    parts = [snn.unroll(ring, part) for part in x.split([17, 23])]
    assert isinstance(parts[0], snn.SpikeTensor) and same_bits(torch.cat(parts), steps)
    wide = snn.RingAttractor(16, init_hidden=True).double()
    wide.load_state_dict(ring.state_dict())
    assert same_bits(torch.stack([wide(step) for step in x.double()]), steps.double())
    drive = snn.SpikeTensor.from_dense((x > 0.5).float())
    snn.utils.reset(ring)
    once = snn.unroll(ring, drive)
    snn.utils.reset(ring)
    assert same_bits(once, snn.unroll(ring, drive.dense()))


# Winners


@given(
    k=st.integers(1, 6),
    values=st.lists(st.integers(-2, 2), min_size=6, max_size=12),
    whole=st.booleans(),
)
def test_exactly_k_win(k, values, whole):
    x = torch.tensor(values, dtype=torch.float32)
    won = snn.WTA(k).run_sequence(x.view(1, 1, -1)) if whole else snn.WTA(k)(x.view(1, -1))
    ranked = sorted(range(len(values)), key=lambda i: (-values[i], i))[:k]  # ties: lower index
    wanted = [float(i in ranked) for i in range(len(values))]
    assert isinstance(won, snn.SpikeTensor) == whole
    assert won.flatten().tolist() == wanted and won.sum() == k


def test_neurons_that_compete_are_at_most_k():
    x = torch.zeros(1, 5)
    assert snn.WTA(2)(x).sum() == 2
    assert snn.Leaky(0.5, inhibition=snn.KWTA(2))(x)[0].sum() == 0


def test_winners_of_an_axis_in_steps_and_sequences():
    wta, x = snn.WTA(1, axis=1), torch.randn(4, 2, 3, 5, 5)
    steps = torch.stack([wta(step) for step in x])
    assert same_bits(steps.sum(2), torch.ones(4, 2, 5, 5))
    assert same_bits(snn.unroll(nn.Sequential(wta), x), steps)
    assert same_bits(wta.run_sequence(x.double()), steps.double())
    spikes = snn.SpikeTensor.from_dense((x > 0).float())
    assert same_bits(wta.run_sequence(spikes), wta.run_sequence(spikes.dense()))


@pytest.mark.parametrize("whole", [False, True])
def test_gradients_flow_to_winners(whole):
    x = torch.randn(3, 2, 6, requires_grad=True)
    weights = torch.randn(3, 2, 6)
    won = snn.WTA(2).run_sequence(x) if whole else torch.stack([snn.WTA(2)(step) for step in x])
    (won * weights).sum().backward()
    assert error(x.grad, weights * won.detach() * 1) == 0


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda: snn.Hopfield(0), "n must be at least 1"),
        (lambda: snn.Hopfield(3)(torch.rand(2, 4)), r"x must be \[B, 3\]"),
        (lambda: snn.Hopfield(3).store(torch.rand(4)), r"patterns must be \[K, 3\]"),
        (lambda: snn.RingAttractor(2), "n must be at least 3"),
        (lambda: snn.RingAttractor(4).angle(torch.rand(3)), r"activity must be \[\*, 4\]"),
        (lambda: snn.WTA(0), "k must be a positive integer"),
        (lambda: snn.WTA(3)(torch.rand(2, 2)), "at least k=3 inputs that compete, not 2"),
        (lambda: snn.WTA(1, axis=4)(torch.rand(2, 2)), r"x must be \[B, \*\] with an axis 4"),
        (lambda: snn.WTA(1)(torch.rand(2)), r"x must be \[B, \*\] at each step"),
        (lambda: snn.WTA(1).run_sequence(torch.rand(2, 2)), "x must be a sequence"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
