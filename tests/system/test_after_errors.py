"""What raises in the middle leaves everything as it was."""

import copy

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import decode, surrogate
from bitspike.functional import probe, stdp_learner


class Interrupted(Exception):
    pass


def test_a_learner_goes_on_as_if_nothing_had_happened():
    calls = 0

    def fails_once(weight):
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Interrupted
        return weight

    synapse, neuron = nn.Linear(3, 2), nn.Identity()
    learner = stdp_learner.STDPLearner(synapse, neuron, 2.0, 2.0, f_pre=fails_once)
    spikes = (torch.rand(5, 4, 3) < 0.5).float()
    with torch.no_grad():
        for step in spikes:
            synapse(step)
            neuron(step[:, :2])
    synapse.weight.grad = torch.ones(2, 3)
    with pytest.raises(Interrupted):
        learner.step()
    assert learner.trace_pre is learner.trace_post is None
    assert torch.equal(synapse.weight.grad, torch.ones(2, 3))
    change = learner.step(on_grad=False)
    # That of one unbroken run.
    pre = post = torch.zeros(())
    wanted = torch.zeros(2, 3)
    for step in spikes:
        pre, post, of_step = stdp_learner.stdp_linear_single_step(
            synapse, step, step[:, :2], pre, post, 2.0, 2.0
        )
        wanted = wanted + of_step
    assert torch.equal(change, wanted) and change.any()


def test_a_decision_is_not_half_made():
    decision = decode.EarlyExit(margin=2)
    decision.update(torch.tensor([[1.0, 0.0]]))
    before = copy.deepcopy(vars(decision))
    for wrong in (torch.ones(2, 2), torch.ones(1, 2, dtype=torch.complex64), "text"):
        with pytest.raises((TypeError, ValueError), match="spikes"):
            decision.update(wrong)
    assert str(vars(decision)) == str(before)


def test_a_schedule_that_raises_makes_no_step():
    def schedule(step):
        if step == 1:
            raise Interrupted
        return 2.0

    scheduled = surrogate.Scheduled(surrogate.ATan(), alpha=schedule)
    with pytest.raises(Interrupted):
        scheduled.step()
    assert scheduled.steps == 0 and scheduled.current == surrogate.ATan(2.0)


def test_no_hook_is_left_where_one_cannot_be():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    second.register_backward_hook(lambda *_: None)
    with pytest.raises(RuntimeError, match="backward hooks"):
        probe.GradInputMonitor(nn.Sequential(first, second), nn.Linear)
    assert not first._backward_hooks
    synapse = nn.Linear(2, 2)
    with pytest.raises(TypeError, match="sn must be a module"):
        stdp_learner.STDPLearner(synapse, torch.relu, 2.0, 2.0)
    assert not synapse._forward_hooks


def test_all_layers_are_rescued_or_none():
    class Broken(snn.Leaky):
        def rest(self):
            raise Interrupted

    layers = [nn.Linear(3, 3), snn.Leaky(0.5, init_hidden=True), nn.Linear(3, 2)]
    net = nn.Sequential(*layers, Broken(0.5, init_hidden=True))
    for layer in (net[0], net[2]):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)
    with pytest.raises(Interrupted):
        snn.rescue(net, torch.ones(4, 2, 3))
    assert not net[0].weight.any() and not net[2].weight.any()
