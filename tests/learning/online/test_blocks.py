"""Blocks have the gradients of single steps, and learners the results of their networks."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import utils
from bitspike.learning import online
from helpers.compare import first, same_bits
from helpers.online import (
    BROKEN,
    EXACT,
    HIDDEN,
    bptt,
    difference,
    learned,
    lively_task,
    network,
    task,
)

NEURONS = {
    "Leaky": lambda: snn.Leaky(0.8, learn_beta=True, learn_threshold=True, **HIDDEN),
    "zero": lambda: snn.Leaky(0.8, reset_mechanism="zero", **HIDDEN),
    "ALIF": lambda: snn.ALIF(0.8, 0.9, 0.3, **HIDDEN),
    "Synaptic": lambda: snn.Synaptic(0.6, 0.8, learn_alpha=True, learn_beta=True, **HIDDEN),
    "RLeaky": lambda: snn.RLeaky(0.8, V=0.3, all_to_all=False, **HIDDEN),
}
RULES = {
    "RTRL": online.RTRL,
    "OTTT": online.OTTT,
    "OTTT 0.5": lambda: online.OTTT(0.5),
    "SLTT": online.SLTT,
}
TRACELESS = {"RLeaky": {"OTTT", "OTTT 0.5"}}
PAIRS = [(n, r) for n in NEURONS for r in RULES if r not in TRACELESS.get(n, ())]


def stack(neuron, dtype=torch.float64):
    head = nn.Linear(5, 4), snn.LI(0.9, learn_beta=True, **HIDDEN)
    return network(neuron, layers=2, head=head, dtype=dtype)


def convolutional(neuron, dtype=torch.float64):
    neurons = neuron(), neuron()
    return nn.Sequential(
        *(nn.Conv2d(2, 4, 3, groups=2, padding=1), neurons[0], nn.MaxPool2d(2)),
        *(nn.Conv2d(4, 6, 2, stride=2), neurons[1], nn.Flatten()),
        *(nn.Linear(24, 3), snn.LI(0.9, **HIDDEN)),
    ).to(dtype)


def convolutional_1d(neuron, dtype=torch.float64):
    neurons = neuron(), neuron()
    return nn.Sequential(
        *(nn.Conv1d(2, 4, 3, groups=2, padding=1), neurons[0], nn.MaxPool1d(2)),
        *(nn.Conv1d(4, 6, 2, stride=2, dilation=2), neurons[1], nn.Flatten()),
        *(nn.Linear(12, 3), snn.LI(0.9, **HIDDEN)),
    ).to(dtype)


@pytest.mark.parametrize("block", [1, 5])
@pytest.mark.parametrize("name, rule", PAIRS)
def test_blocks_are_steps(name, rule, block):
    net = stack(NEURONS[name]())
    x, costs = lively_task(net)
    steps = learned(net, RULES[rule](), x, costs)
    assert difference(learned(net, RULES[rule](), x, costs, block), steps) < EXACT
    other = "SLTT" if rule != "SLTT" else "RTRL"
    assert difference(learned(net, RULES[other](), x, costs), steps) > BROKEN


@pytest.mark.parametrize("rule", ["RTRL", "OTTT 0.5", "SLTT"])
@pytest.mark.parametrize("name", ["Leaky", "zero"])
@pytest.mark.parametrize("make, shape", [(convolutional, (2, 8, 8)), (convolutional_1d, (2, 10))])
def test_blocks_of_convolutions_are_steps(make, shape, name, rule):
    torch.manual_seed(1)
    net = make(NEURONS[name])
    with torch.no_grad():
        for x in net.parameters():
            x *= 3 if x.dim() > 1 else 1
    x, costs = lively_task(net, shape)
    steps = learned(net, RULES[rule](), x, costs)
    assert difference(learned(net, RULES[rule](), x, costs, 5), steps) < EXACT
    packed = snn.SpikeTensor.from_dense(x).double()
    assert difference(learned(net, RULES[rule](), packed, costs, 5), steps) < EXACT
    assert difference(learned(net, RULES[rule](), packed, costs), steps) < EXACT


@pytest.mark.parametrize("name", ["Leaky", "zero"])
def test_one_convolution_has_the_gradient_of_bptt(name):
    net = nn.Sequential(nn.Conv2d(2, 4, 3, groups=2, stride=2), NEURONS[name]()).double()
    with torch.no_grad():
        net[0].weight *= 3
    x, costs = lively_task(net, (2, 7, 7))
    wanted = bptt(net, x, costs)
    for block in (None, 5):
        assert difference(learned(net, online.RTRL(), x, costs, block), wanted) < EXACT
    assert difference(learned(net, online.SLTT(), x, costs), wanted) > BROKEN


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["Leaky", "zero", "Synaptic", "ALIF"])
def test_results_are_those_of_the_network(name, rule, packed):
    net = stack(NEURONS[name](), torch.float32)
    x, _ = task(net, dtype=torch.float32)
    x = snn.SpikeTensor.from_dense(x) if packed else x
    with torch.no_grad():
        wanted = torch.stack([first(net(step)) for step in x])
    utils.reset(net)
    learner = online.Learner(net, RULES[rule]())
    assert same_bits(torch.stack([learner(step) for step in x]), wanted)
    with torch.no_grad():
        utils.reset(net)
        wanted = [snn.unroll(net, steps) for steps in x.split(5)]
    learner.reset()
    for steps, result in zip(x.split(5), wanted, strict=True):
        assert same_bits(learner.block(steps), result)


@pytest.mark.parametrize("packed", [False, True])
def test_gradients_in_float32_are_those_in_float64(packed):
    net = stack(NEURONS["zero"](), torch.float32)
    x, costs = task(net, dtype=torch.float32)
    given = snn.SpikeTensor.from_dense(x) if packed else x
    for rule in RULES.values():
        found = learned(net.float(), rule(), given, costs, 6)
        wanted = learned(net.double(), rule(), x.double(), costs.double())
        assert difference({name: x.double() for name, x in found.items()}, wanted) < 1e-4


def test_layers_that_return_states_and_modules_with_time_take_part():
    head = snn.TimeDropout(0.0), nn.Linear(5, 4), snn.Synaptic(0.6, 0.8, output=True, **HIDDEN)
    net = network(snn.Leaky(0.8, **HIDDEN), head=head)
    x, costs = task(net)
    found = learned(net, online.RTRL(), x, costs, 4)
    assert difference(found, learned(net, online.RTRL(), x, costs)) < EXACT
    learner = online.Learner(net, online.SLTT())
    assert [part.shape for part in learner.block(x[:2])] == [(2, 3, 4)] * 3


@pytest.mark.parametrize(
    "neuron, rule, reason",
    [
        (snn.RLeaky(0.8, linear_features=5, **HIDDEN), online.RTRL(), "a recurrent layer sends"),
        (snn.RALIF(0.8, 0.9, 0.3, linear_features=5, **HIDDEN), online.EProp(), "a recurrent"),
        (snn.Leaky(0.8, **HIDDEN), online.EProp(kappa=0.5), "its signal or filter is that of"),
        (snn.Leaky(0.8, **HIDDEN), online.UORO(), "its signal or filter is that of"),
        (snn.Leaky(0.8, **HIDDEN), online.OTTT(), "it drops what lies before a step"),
    ],
    ids=["RTRL", "EProp", "EProp filtered", "UORO", "OTTT"],
)
def test_blocks_through_which_errors_cannot_flow_say_so(neuron, rule, reason):
    """The steps of such a block are taken one by one, with the same gradients."""
    net = network(neuron)
    x, costs = task(net)
    learner = online.Learner(net, rule)
    with pytest.raises(ValueError, match=f"{rule.name}: .*: {reason}.*take within='rule'"):
        learner.block(x, within="bptt")
    steps = learned(net, rule, x, costs)
    assert difference(learned(net, rule, x, costs, 5), steps) < EXACT
