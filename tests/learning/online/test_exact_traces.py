"""Influence that is carried forward gives the gradient of backpropagation through time."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.learning import online
from bitspike.surrogate import Triangle
from helpers.cases import CASES, IN_TORCH
from helpers.compare import first
from helpers.online import (
    BROKEN,
    EXACT,
    bptt,
    difference,
    expect_life,
    gradients,
    learned,
    lively_task,
    network,
    task,
)

LEARNED = {"init_hidden": True, "learn_beta": True, "learn_threshold": True}
ONE_TO_ONE = {"all_to_all": False, **LEARNED}
NEURONS = {
    "subtract": lambda: snn.Leaky(0.8, **LEARNED),
    "subtract_beta": lambda: snn.Leaky(0.8, reset_mechanism="subtract_beta", **LEARNED),
    "zero": lambda: snn.Leaky(0.8, reset_mechanism="zero", **LEARNED),
    "none": lambda: snn.Leaky(0.8, reset_mechanism="none", **LEARNED),
    "live": lambda: snn.Leaky(0.8, detach_reset=False, **LEARNED),
    "live zero": lambda: snn.Leaky(0.8, detach_reset=False, reset_mechanism="zero", **LEARNED),
    "immediate": lambda: snn.Leaky(0.8, reset_delay=False, **LEARNED),
    "immediate zero": lambda: snn.Leaky(0.8, reset_delay=False, reset_mechanism="zero", **LEARNED),
    "graded": lambda: snn.Leaky(
        0.8, graded_spikes_factor=0.7, learn_graded_spikes_factor=True, **LEARNED
    ),
    "a decay each": lambda: snn.Leaky(
        torch.linspace(0.3, 0.9, 5), threshold=torch.linspace(0.5, 1, 5), **LEARNED
    ),
    "triangle": lambda: snn.Leaky(0.8, spike_grad=Triangle(2.0), **LEARNED),
    "Synaptic": lambda: snn.Synaptic(0.6, 0.8, learn_alpha=True, **LEARNED),
    "Synaptic zero": lambda: snn.Synaptic(0.6, 0.8, reset_mechanism="zero", **LEARNED),
    "Alpha": lambda: snn.Alpha(0.8, 0.5, learn_alpha=True, **LEARNED),
    "Alpha none": lambda: snn.Alpha(0.8, 0.5, reset_mechanism="none", **LEARNED),
    "ALIF": lambda: snn.ALIF(0.8, 0.9, 0.3, learn_rho=True, learn_beta_a=True, **LEARNED),
    "CuBaLIF": lambda: snn.CuBaLIF(0.6, 0.8, 1.2, 0.9, init_hidden=True),
    "RLeaky": lambda: snn.RLeaky(0.8, V=0.4, **ONE_TO_ONE),
    "RLeaky V each": lambda: snn.RLeaky(0.8, V=torch.linspace(-0.5, 0.5, 5), **ONE_TO_ONE),
    "RSynaptic": lambda: snn.RSynaptic(0.6, 0.8, V=0.4, reset_mechanism="zero", **ONE_TO_ONE),
}

LEARNABLE = [case for case in (*CASES, *IN_TORCH) if case.kind is not snn.EscapeLeaky]
"""Those whose spikes are not drawn."""


@pytest.mark.parametrize("block", [None, 5])
@pytest.mark.parametrize("name", NEURONS)
def test_one_layer_has_the_gradient_of_bptt(name, block):
    net = network(NEURONS[name]())
    x, costs = lively_task(net)
    wanted = bptt(net, x, costs)
    assert difference(learned(net, online.RTRL(), x, costs, block), wanted) < EXACT
    assert difference(learned(net, online.SLTT(), x, costs, block), wanted) > BROKEN


@pytest.mark.parametrize("case", LEARNABLE, ids=str)
def test_every_neuron_has_a_trace(case):
    neuron = case.neuron(5, case.kind.RESETS[0], True, init_hidden=True, multi_step=False)
    mean, deviation = case.current
    net = nn.Sequential(nn.Linear(6, 5), neuron).double()
    with torch.no_grad():
        net[0].weight *= 2 * deviation
        net[0].bias += mean
    x, costs = task(net)
    wanted = {name: grad for name, grad in bptt(net, x, costs).items() if grad is not None}
    found = learned(net, online.RTRL(), x, costs)
    assert difference({name: found[name] for name in wanted}, wanted) < EXACT


@pytest.mark.parametrize("rule", [online.RTRL(), online.OTTT()])
def test_losses_of_membranes_count_too(rule):
    net = network(snn.Leaky(0.8, init_hidden=True, output=True))
    x, costs = lively_task(net)
    learner = online.Learner(net, rule)
    for step, cost in zip(x, costs, strict=True):
        spikes, membrane = learner(step)
        ((spikes + membrane) * cost).sum().backward()
    found = gradients(net)
    learner.reset()
    loss = 0
    for step, cost in zip(x, costs, strict=True):
        spikes, membrane = net(step)
        loss = loss + ((spikes + membrane) * cost).sum()
    loss.backward()
    assert difference(found, gradients(net)) < EXACT


def test_a_live_reset_is_part_of_the_trace():
    """OSTL follows the gradient of the reset, and says so if a neuron has none."""
    live = network(snn.Leaky(0.8, init_hidden=True, detach_reset=False))
    x, costs = task(live)
    expect_life(live, x)
    wanted = bptt(live, x, costs)
    assert difference(learned(live, online.OSTL(reset="live"), x, costs), wanted) < EXACT
    live[1].detach_reset = True
    assert difference(learned(live, online.OSTL(reset="detached"), x, costs), wanted) > BROKEN
    with pytest.raises(ValueError, match="OSTL: reset='live' needs detach_reset=False"):
        online.Learner(live, online.OSTL(reset="live"))


@pytest.mark.parametrize("beta", [0.0, 0.8])
def test_stacks_are_exact_if_nothing_leaks_above(beta):
    upper = snn.Leaky(beta, init_hidden=True, reset_mechanism="none")
    net = network(snn.Leaky(0.8, init_hidden=True), head=(nn.Linear(5, 4), upper))
    x, costs = lively_task(net)
    found = difference(learned(net, online.OSTL(), x, costs), bptt(net, x, costs))
    assert found < EXACT if beta == 0 else found > BROKEN


@pytest.mark.parametrize("block", [1, 4, 17])
def test_errors_within_a_block_flow_through_time(block):
    """One block of all steps is BPTT in all layers; blocks of one step are the rule."""
    net = network(snn.Leaky(0.8, init_hidden=True), layers=2)
    x, costs = lively_task(net)
    found = learned(net, online.RTRL(), x, costs, block, within="bptt")
    by_rule, whole = learned(net, online.RTRL(), x, costs), bptt(net, x, costs)
    assert difference({"2.weight": found["2.weight"]}, {"2.weight": whole["2.weight"]}) < EXACT
    assert (difference(found, whole) < EXACT) == (block == 17)
    assert (difference(found, by_rule) < EXACT) == (block == 1)
    assert difference(by_rule, whole) > BROKEN


RULES = {
    "exact trace, OTTT": ([online.RTRL(), online.OTTT(0.5), online.OTTT()], (1.325, 1.85)),
    "SLTT": ([online.SLTT(), online.OTTT(0.0)], (0.4, 1.1)),
}


@pytest.mark.parametrize("block", [None, 2])
@pytest.mark.parametrize("name", RULES)
def test_gradients_by_hand(name, block):
    rules, wanted = RULES[name]
    for rule in rules:
        assert learned_by_hand(rule, block) == pytest.approx(wanted)


def test_gradients_by_hand_with_a_live_reset():
    assert learned_by_hand(online.OSTL(), detach_reset=False) == pytest.approx((0.835, 1.55))


def learned_by_hand(rule, block=None, **options):
    """One neuron with U = (.8, 1.8, .5), S = (0, 1, 0) and ψ = (.8, .2, .5)."""
    neuron = snn.Leaky(0.5, spike_grad=Triangle(1.0), init_hidden=True, **options)
    net = nn.Sequential(nn.Linear(2, 1, bias=False), neuron).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.8, 0.6]]))
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64).unsqueeze(1)
    with torch.no_grad():
        assert [first(net(step)).item() for step in x] == [0, 1, 0]
    costs = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64).view(3, 1, 1)
    return learned(net, rule, x, costs, block)["0.weight"].flatten().tolist()
