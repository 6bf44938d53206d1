"""`SSMBlock`: its discretisation, three ways through a sequence, stability and hidden state."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from helpers.compare import error, same_bits

METHODS = ["fft", "scan", "recurrence"]


def block(dim=3, state=4, **options):
    """A block at which channels fire now and then."""
    made = snn.SSMBlock(dim, state, threshold=0.6, dt_range=(0.05, 0.5), **options)
    with torch.no_grad():
        for name, x in made.named_parameters():
            if name in ("B", "C", "D", "log_decay"):
                x.copy_(torch.randn(x.shape) / 2)
    return made


def spikes(*shape, density=0.4):
    return (torch.rand(shape) < density).float()


def test_a_trace_by_hand():
    """One state: Λ = -1/2 + iπ/2, Δ = 1, B = 2, C = i, D = 0.25, an impulse."""
    made = snn.SSMBlock(1, 1, multi_step=True).double()
    with torch.no_grad():
        made.log_dt.zero_()
        made.log_decay.fill_(math.log(0.5))
        made.frequency.fill_(math.pi / 2)
        made.B.copy_(torch.tensor([2.0, 0.0]))
        made.C.copy_(torch.tensor([0.0, 1.0]))
        made.D.fill_(0.25)
    shrink = math.exp(-0.5)  # Λ̄ = i e^{-1/2}
    pole = complex(-0.5, math.pi / 2)
    held = (1j * shrink - 1) / pole * 2
    wanted = [(1j * held * (1j * shrink) ** k).real for k in range(4)]
    wanted[0] += 0.25
    x = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64).view(4, 1, 1)
    for method in METHODS:
        made.method = method
        assert error(made.current(x).flatten(), torch.tensor(wanted, dtype=torch.float64)) < 1e-12
    # What the continuous equation makes of an input that is held for a step.
    h, fine = 0j, 20000
    for _ in range(fine):
        h += (pole * h + 2) / fine
    assert abs(h - held) < 1e-3


@settings(max_examples=25)
@given(
    dim=st.integers(1, 3),
    state=st.sampled_from([1, 2, 5]),
    steps=st.integers(0, 70),
    seed=st.integers(0, 9),
)
def test_scan_recurrence_and_fft_are_equal(dim, state, steps, seed):
    torch.manual_seed(seed)
    made, x = block(dim, state).double(), torch.randn(steps, 2, dim, dtype=torch.float64)
    results = []
    for method in METHODS:
        made.method = method
        snn.utils.reset(made)
        made.run_sequence(x[: steps // 3])
        fired = made.run_sequence(x[steps // 3 :])
        results.append((made.current(x), made.h, fired))
    for y, h, fired in results[1:]:
        assert error(y, results[0][0]) < 1e-10
        assert error(h, results[0][1]) < 1e-10
        assert same_bits(fired, results[0][2])


def test_methods_differ_if_the_kernel_is_another():
    made, x = block().double(), torch.randn(20, 2, 3, dtype=torch.float64)
    y = made.current(x)
    made.method = "recurrence"
    with torch.no_grad():
        made.frequency += 1e-3
    assert error(made.current(x), y) > 1e-6


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("packed", [False, True])
def test_steps_and_sequences(method, packed):
    torch.manual_seed(3)
    made = block(method=method)
    x = spikes(30, 4, 3)
    x = snn.SpikeTensor.from_dense(x) if packed else x
    steps = torch.stack([made(step) for step in x])
    last = made.h
    assert 0.05 < steps.mean() < 0.95
    snn.utils.reset(made)
    assert not made.h.any() and made.h.shape == (4, 3, 4, 2)
    parts = [made.run_sequence(part) for part in x.split([11, 1, 18])]
    assert isinstance(parts[0], snn.SpikeTensor)
    assert same_bits(torch.cat(parts), steps)
    assert error(made.h, last) < 1e-5
    snn.utils.reset(made)
    assert same_bits(snn.unroll(nn.Sequential(nn.Identity(), made), x), steps)
    whole = copy.deepcopy(made)
    whole.multi_step = True
    assert same_bits(whole(x), steps) and same_bits(whole(x), steps)
    assert whole.h.numel() == 0


def test_the_recurrence_has_the_bits_of_single_steps():
    made = block(state=16, method="recurrence")
    x = torch.randn(30, 4, 3)
    steps = []
    for step in x:
        made(step)
        steps.append(made.h)
    snn.utils.reset(made)
    made.run_sequence(x)
    assert same_bits(made.h, steps[-1])


@given(decay=st.floats(-20, 20), frequency=st.floats(-1e3, 1e3), log_dt=st.floats(-10, 3))
def test_it_is_stable_whatever_is_learned(decay, frequency, log_dt):
    made = snn.SSMBlock(1, 1).double()
    with torch.no_grad():
        made.log_decay.fill_(decay)
        made.frequency.fill_(frequency)
        made.log_dt.fill_(log_dt)
    assert made.decays().abs().item() < 1


def test_a_pole_on_the_right_is_not_stable(monkeypatch):
    made = block()
    monkeypatch.setattr(
        type(made), "_poles", lambda self: torch.complex(self.log_decay.exp(), self.frequency)
    )
    assert bool((made.decays().abs() > 1).all())


@pytest.mark.parametrize("method", METHODS)
def test_gradients(method):
    made = block(2, 3, method=method).double()
    names = [name for name, _ in made.named_parameters()]
    assert names == ["log_dt", "log_decay", "frequency", "B", "C", "D"]
    x = torch.randn(5, 2, 2, dtype=torch.float64, requires_grad=True)

    def run(x, *values):
        parameters = dict(zip(names, values, strict=True))
        with torch.nn.utils.stateless._reparametrize_module(made, parameters):
            return made.current(x)

    assert torch.autograd.gradcheck(
        run, (x, *(p.detach().requires_grad_() for p in made.parameters()))
    )


def test_gradients_pass_through_spikes_and_chunks():
    made, x = block(), torch.randn(12, 2, 3, requires_grad=True)
    torch.stack([made(step) for step in x]).sum().backward()
    wanted = [x.grad, *(p.grad.clone() for p in made.parameters())]
    x.grad = None
    made.zero_grad()
    made.reset_mem()
    (made.run_sequence(x[:5]).sum() + made.run_sequence(x[5:]).sum()).backward()
    for a, b in zip([x.grad, *(p.grad for p in made.parameters())], wanted, strict=True):
        assert error(a, b) < 1e-4
    assert all(w.abs().sum() > 0 for w in wanted)


def test_state_dict():
    made = block(learn_threshold=True)
    other = snn.SSMBlock(3, 4)
    other.load_state_dict(made.state_dict())
    x = torch.randn(20, 2, 3)
    assert same_bits(snn.unroll(other, x), snn.unroll(made, x))
    assert "h" not in made.state_dict()


@pytest.mark.parametrize(
    "arguments,message",
    [
        (dict(dim=0), "dim must be at least 1"),
        (dict(state=0), "state must be at least 1"),
        (dict(kind="s5"), "kind must be one of 's4d'"),
        (dict(method="loop"), "method must be one of"),
        (dict(dt_range=(0.1, 0.01)), "dt_range must be"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        snn.SSMBlock(**{"dim": 3} | arguments)


def test_wrong_shapes():
    with pytest.raises(ValueError, match=r"x must be \[B, 3\] at each step"):
        snn.SSMBlock(3)(torch.rand(2, 4))
