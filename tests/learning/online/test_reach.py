"""SnAp with n steps: influence on the neurons that are reached within them."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.autograd.functional import jacobian
from torch.func import functional_call
from torch.nn.utils import prune

import bitspike as snn
from bitspike.learning import online
from helpers.compare import same_bits
from helpers.online import (
    BROKEN,
    EXACT,
    HIDDEN,
    B,
    M,
    bptt,
    difference,
    expect_life,
    gradients,
    learned,
    lively_task,
    network,
)

NEURONS = {
    "RLeaky": lambda: snn.RLeaky(
        0.8, linear_features=M, learn_beta=True, learn_threshold=True, **HIDDEN
    ),
    "RSynaptic": lambda: snn.RSynaptic(0.6, 0.8, linear_features=M, **HIDDEN),
}


def ring(name, dtype=torch.float64):
    """A layer each neuron of which sends spikes to the next one, and nowhere else."""
    torch.manual_seed(0)
    net = network(NEURONS[name](), dtype=dtype)
    with torch.no_grad():
        net[1].recurrent.weight.copy_(1.3 * torch.eye(M).roll(1, 0))
    x, costs = lively_task(net, dtype=dtype)
    return net, x, costs


@pytest.mark.parametrize("name", NEURONS)
def test_snap_is_bptt_once_all_neurons_are_reached(name):
    net, x, costs = ring(name)
    wanted = bptt(net, x, costs)
    for n in (1, 2, 3, M, M + 1):
        found = difference(learned(net, online.SnAp(n), x, costs), wanted)
        assert found < EXACT if n >= M else found > BROKEN, n
    steps = learned(net, online.SnAp(2), x, costs)
    packed = snn.SpikeTensor.from_dense(x).double()
    for given, block in ((packed, None), (x, 5), (packed, 5)):
        assert difference(learned(net, online.SnAp(2), given, costs, block), steps) < EXACT


def test_one_step_reaches_the_neuron_itself():
    net, x, costs = ring("RLeaky")
    with torch.no_grad():
        net[1].recurrent.weight += 0.4 * torch.eye(M)
    expect_life(net, x)
    wanted = learned(net, online.SnAp(), x, costs)
    rule = online.Rule(recurrence="full", reach=1)
    assert difference(learned(net, rule, x, costs), wanted) < EXACT
    assert difference(learned(net, online.SnAp(2), x, costs), wanted) > BROKEN


def by_definition(net, x, costs, mask):
    """J ← mask·(∂s'/∂s·J + ∂s'/∂W) of one sample, and the gradient of its spikes times J."""
    weight, states = net[0].weight.detach(), torch.zeros(2, M).double()
    influence, total = torch.zeros(2, M, *weight.shape).double(), 0
    for step, cost in zip(x, costs, strict=True):

        def after(states, weight, step=step):
            current = functional_call(net[0], {"weight": weight}, step)
            return torch.stack(net[1].step(current, *states)[1])

        by_states, by_weight = jacobian(after, (states, weight))
        moved = torch.einsum("sucv,cvmn->sumn", by_states, influence)
        influence = mask.unsqueeze(-1) * (moved + by_weight)
        total = total + torch.einsum("u,umn->mn", cost, influence[0])
        states = after(states, weight).detach()
    return total


def test_what_is_not_reached_is_dropped_at_each_step():
    net, x, costs = ring("RLeaky")
    found = learned(net, online.SnAp(2), x, costs)["0.weight"]
    reached = torch.eye(M) + torch.eye(M).roll(1, 0)
    for mask, is_right in ((reached, True), (torch.ones(M, M), False)):
        wanted = sum(by_definition(net, x[:, b], costs[:, b], mask) for b in range(B))
        assert (difference({"": found}, {"": wanted}) < EXACT) == is_right


def test_traces_are_of_neurons_that_are_reached():
    net, x, _ = ring("RLeaky")
    sizes = {}
    for rule in (online.SnAp(1), online.SnAp(2), online.RTRL()):
        learner = online.Learner(net, rule)
        learner.reset()
        learner(x[0])
        (layer,) = learner.state_dict()["traces"].values()
        sizes[rule.name] = layer[0]["weight"][0].numel()
    one = sizes["SnAp-1"]
    assert sizes == {"SnAp-1": one, "SnAp-2": 2 * one, "RTRL": M * one}


def test_a_saved_learner_goes_on_with_the_same_neurons():
    net, x, costs = ring("RLeaky", torch.float32)
    learner = online.Learner(net, online.SnAp(2))
    for step in x[:6]:
        learner(step).sum().backward()
    gradients(net)
    file = io.BytesIO()
    torch.save(learner.state_dict(), file)
    file.seek(0)
    other = online.Learner(copy.deepcopy(net), online.SnAp(2))
    other.load_state_dict(torch.load(file, weights_only=True))
    for one in (learner, other):
        with torch.no_grad():  # a connection that was not there at the start
            one.net[1].recurrent.weight[0, 2] = 0.5
        for step, cost in zip(x[6:], costs[6:], strict=True):
            (one(step) * cost).sum().backward()
    found, wanted = gradients(other.net), gradients(net)
    assert all(same_bits(found[name], wanted[name]) for name in wanted)


def test_it_says_what_it_cannot_reach():
    x = torch.zeros(1, 1, 4, 4)
    neuron = snn.RLeaky(0.8, conv2d_channels=1, kernel_size=3, **HIDDEN)
    net = nn.Sequential(nn.Conv2d(1, 1, 1), neuron)
    with pytest.raises(TypeError, match=r"SnAp-2: 1 sends .* a convolution; online.SnAp\(\)"):
        online.Learner(net, online.SnAp(2))(x)
    large = nn.Sequential(nn.Linear(1, 300), snn.RLeaky(0.8, linear_features=300, **HIDDEN))
    with pytest.raises(TypeError, match="SnAp-2: 1 .* 27000000 influences, more than 16777216"):
        online.Learner(large, online.SnAp(2))(torch.zeros(1, 1))
    with pytest.raises(TypeError, match=r"Rule: 1 .* a filter holds no .*; online.SnAp\(\)"):
        online.Learner(ring("RLeaky")[0], online.Rule(recurrence="full", kappa=0.5))(
            torch.zeros(1, 6).double()
        )
    for where in (lambda net: net[0], lambda net: net[1].recurrent):
        pruned = ring("RLeaky")[0]
        prune.random_unstructured(where(pruned), "weight", 0.5)
        with pytest.raises(TypeError, match=r"SnAp-2: .* pruning .*; online.SLTT\(\) needs none"):
            online.Learner(pruned, online.SnAp(2))(torch.zeros(1, 6).double())
