"""Widths that follow a schedule."""

import copy
import pickle

import pytest
import torch

import bitspike as snn
from bitspike import surrogate
from bitspike.surrogate import schedule

LINEAR = schedule.Linear(1.0, 25.0, steps=4)


def gradient(spike_grad, dtype=torch.float32):
    torch.manual_seed(3)
    x = torch.randn(10, 2, 5, dtype=dtype, requires_grad=True)
    neuron = snn.Leaky(beta=0.9, spike_grad=spike_grad, multi_step=True)
    spikes, _ = neuron(x)
    spikes.sum().backward()
    return x.grad


@pytest.mark.isa
def test_the_native_gradient_follows(strict):
    scheduled = surrogate.Scheduled(surrogate.fast_sigmoid(), slope=LINEAR)
    seen = []
    for slope in (1.0, 7.0, 13.0, 19.0, 25.0, 25.0):
        assert scheduled.current == surrogate.fast_sigmoid(slope)
        seen.append(gradient(scheduled))
        assert seen[-1].equal(gradient(surrogate.fast_sigmoid(slope)))
        scheduled.step()
    assert not seen[0].equal(seen[1]) and seen[-2].equal(seen[-1])


def test_so_does_the_gradient_in_torch():
    scheduled = surrogate.Scheduled(surrogate.atan(normalized=True), alpha=LINEAR)
    assert not scheduled.is_native()
    scheduled.step()
    wanted = gradient(surrogate.atan(7.0, normalized=True), torch.float64)
    assert gradient(scheduled, torch.float64).equal(wanted)


@pytest.mark.filterwarnings("ignore::bitspike.ReferencePathWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_backward_uses_what_was_in_force_in_forward(dtype):
    scheduled = surrogate.Scheduled(surrogate.fast_sigmoid(), slope=LINEAR)
    x = torch.linspace(-1, 3, 9, dtype=dtype, requires_grad=True)
    spikes, _ = snn.Leaky(beta=0.9, spike_grad=scheduled)(x, torch.zeros(9, dtype=dtype))
    scheduled.step()
    spikes.sum().backward()
    wanted = surrogate.fast_sigmoid(1.0).derivative(x.detach() - 1)
    assert torch.allclose(x.grad, wanted, rtol=1e-6)


def test_compiled_code_follows():
    scheduled = surrogate.Scheduled(surrogate.fast_sigmoid(), slope=LINEAR)
    neuron = snn.Leaky(beta=0.9, spike_grad=scheduled)
    compiled = torch.compile(neuron, backend="aot_eager", fullgraph=True)
    for _ in range(3):
        gradients = []
        for call in (neuron, compiled):
            x = torch.linspace(-1, 3, 9, requires_grad=True)
            call(x, torch.zeros(9))[0].sum().backward()
            gradients.append(x.grad)
        assert gradients[0].equal(gradients[1])
        scheduled.step()


def test_several_numbers_and_any_function():
    scheduled = surrogate.Scheduled(
        surrogate.SFS(B=2.0), slope=lambda step: 10.0 + step, B=lambda step: 1 / (1 + step)
    )
    assert scheduled.current == surrogate.SFS(10.0, 1.0)
    scheduled.step()
    assert scheduled.current == surrogate.SFS(11.0, 0.5)
    assert scheduled.parameters == [11.0, 0.5] and scheduled.NAME == "sparse_fast_sigmoid"
    x = torch.randn(9)
    assert scheduled.derivative(x).equal(surrogate.SFS(11.0, 0.5).derivative(x))


def test_state():
    first = surrogate.Scheduled(surrogate.gaussian(), sigma=schedule.Cosine(1.0, 0.2, steps=5))
    for _ in range(3):
        first.step()
    second = surrogate.Scheduled(surrogate.gaussian(), sigma=schedule.Cosine(1.0, 0.2, steps=5))
    second.load_state_dict(first.state_dict())
    assert second.current == first.current and second.steps == 3
    for twin in (copy.deepcopy(first), pickle.loads(pickle.dumps(first))):
        first.step()
        assert twin.steps == 3 and twin.current == second.current
        first.load_state_dict({"steps": 3})
    assert first != second
    assert "Gaussian" in repr(first) and "3" in repr(first)


def test_neurons_share_one():
    scheduled = surrogate.Scheduled(surrogate.atan(), alpha=LINEAR)
    net = copy.deepcopy([snn.Leaky(beta=0.9, spike_grad=scheduled) for _ in range(2)])
    assert net[0].spike_grad is net[1].spike_grad is not scheduled


def test_schedules():
    up = [schedule.Exponential(2.0, 32.0, steps=4)(i) for i in range(6)]
    assert up == pytest.approx([2, 4, 8, 16, 32, 32])
    assert schedule.Linear(3.0, 1.0, steps=2)(1) == 2
    cosine = schedule.Cosine(1.0, 0.0, steps=3)
    assert [cosine(i) for i in range(5)] == pytest.approx([1, 0.75, 0.25, 0, 0])


def test_errors():
    learnable = surrogate.Learnable(surrogate.atan())
    scheduled = surrogate.Scheduled(surrogate.atan())
    for kind in (torch.relu, surrogate.atan, learnable, scheduled):
        with pytest.raises(TypeError, match="kind must be a surrogate with numbers"):
            surrogate.Scheduled(kind, alpha=LINEAR)
    with pytest.raises(TypeError, match="no slope to schedule, but alpha, normalized"):
        surrogate.Scheduled(surrogate.atan(), slope=LINEAR)
    with pytest.raises(ValueError, match="steps must be positive, not 0"):
        schedule.Linear(0.0, 1.0, steps=0)
    with pytest.raises(ValueError, match="stop must be positive, not 0"):
        schedule.Exponential(1.0, 0.0, steps=3)
    with pytest.raises(TypeError, match="kind must be a surrogate"):
        surrogate.Learnable(scheduled)
