"""Learning signals: errors and targets through matrices, losses of layers, rewards, events."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from bitspike.learning import online
from helpers.online import (
    BROKEN,
    EXACT,
    HIDDEN,
    difference,
    gradients,
    learned,
    lively_task,
    network,
    task,
)

READOUT = (nn.Linear(5, 4), snn.LI(0.75, **HIDDEN))


def three_layers():
    net = network(snn.Leaky(0.8, **HIDDEN), layers=2, head=READOUT)
    x, costs = lively_task(net)
    return net, x, costs


def weights_above(net):
    """Matrices that send errors as the network itself would, if it had one hidden layer."""
    return {"1": net[2].weight.detach().clone()}


def test_random_feedback_through_the_readout_is_symmetric_feedback():
    net = network(snn.Leaky(0.8, **HIDDEN), head=READOUT)
    x, costs = lively_task(net)
    wanted = learned(net, online.EProp(kappa=0.5), x, costs)
    given = online.EProp(kappa=0.5, feedback=weights_above(net))
    assert difference(learned(net, given, x, costs), wanted) < EXACT
    random = online.EProp(kappa=0.5, feedback="random")
    assert difference(learned(net, random, x, costs), wanted) > BROKEN


def test_random_feedback_reaches_every_hidden_layer():
    net, x, costs = three_layers()
    matrices = {"1": torch.randn(4, 5).double(), "3": torch.randn(4, 5).double()}
    found = learned(net, online.EProp(feedback=matrices), x, costs)
    for name, synapse, neuron in (("1", net[0], net[1]), ("3", net[2], net[3])):
        # The layer by itself, with the signal as the weight of its output.
        snn.utils.reset(net)
        with torch.no_grad():
            inputs = x if name == "1" else torch.stack([net[:2](step) for step in x])
        alone = learned(
            nn.Sequential(synapse, neuron), online.RTRL(), inputs, costs @ matrices[name]
        )
        mine = {key: found[f"{int(name) - 1}.{key[2:]}"] for key in alone}
        assert difference(mine, alone) < EXACT


def test_adaptive_feedback_follows_the_readout():
    net = network(snn.Leaky(0.8, **HIDDEN), head=READOUT)
    x, costs = task(net)
    learner = online.Learner(net, online.EProp(feedback="adaptive"))
    learner(x[0])
    matrix = learner.feedback["1"]
    assert not torch.equal(matrix, net[2].weight)
    both = torch.optim.SGD([*net.parameters(), matrix], lr=0.05, weight_decay=1.0)
    angles = []
    for step, cost in zip(x.repeat(4, 1, 1), costs.repeat(4, 1, 1), strict=True):
        (learner(step) * cost).sum().backward()
        assert torch.equal(matrix.grad, net[2].weight.grad)
        both.step()
        both.zero_grad()
        angles.append(F.cosine_similarity(matrix.flatten(), net[2].weight.flatten(), 0).item())
    assert angles[-1] > 0.9 > angles[0]


def test_the_cost_of_rates_is_added_to_the_signal():
    net = network(snn.Leaky(0.8, **HIDDEN))
    x, costs = lively_task(net)
    with torch.no_grad():
        spikes = torch.stack([net(step) for step in x])
    rates = spikes.mean(1).cumsum(0) / torch.arange(1, len(x) + 1).view(-1, 1)
    wanted = learned(net, online.RTRL(), x, costs + 0.5 * (rates - 0.1).unsqueeze(1))
    assert difference(learned(net, online.EProp(c_reg=0.5, rate=0.1), x, costs), wanted) < EXACT
    assert difference(learned(net, online.EProp(), x, costs), wanted) > BROKEN


def with_targets(net, rule, x, targets, costs):
    learner = online.Learner(net, rule)
    learner.reset()
    for step, target, cost in zip(x, targets, costs, strict=True):
        (learner(step, target) * cost).sum().backward()
    return gradients(net)


def test_projected_targets_in_place_of_errors_are_ostl():
    """B is what errors come through, and the target minus the error."""
    net = network(snn.Leaky(0.8, **HIDDEN), head=READOUT)
    x, costs = lively_task(net)
    wanted = learned(net, online.OSTL(), x, costs)
    rule = online.OSTTP(feedback=weights_above(net))
    assert difference(with_targets(net, rule, x, -costs, costs), wanted) < EXACT
    assert difference(with_targets(net, rule, x, costs, costs), wanted) > BROKEN
    assert difference(with_targets(net, online.OSTTP(), x, -costs, costs), wanted) > BROKEN


def test_events_at_every_step_are_eprop():
    net = network(snn.Leaky(0.8, **HIDDEN), head=(nn.Linear(5, 4), snn.Leaky(0.75, **HIDDEN)))
    x, _ = lively_task(net)
    with torch.no_grad():
        outputs = torch.stack([net(step) for step in x])
    errors = outputs - 0.25
    wanted = learned(net, online.EProp(), x, errors)
    psi = derivatives_of_output(net, x)
    # Hidden layers: -B·y* with y* = -(error·ψ), which is the error at the output's current.
    for matrices, exact in ((weights_above(net), True), ("random", False)):
        learner = online.Learner(net, online.ETLP(feedback=matrices))
        learner.reset()
        for step, error, slope in zip(x, errors, psi, strict=True):
            learner.step(step)
            hidden_event(learner, error, slope)
        assert (difference(gradients(net), wanted) < EXACT) == exact


def hidden_event(learner, error, slope):
    """An event whose target is minus what reaches the output's current."""
    learner._signals.target = -error * slope
    learner.learn(error)


def derivatives_of_output(net, x):
    slopes = []
    snn.utils.reset(net)
    with torch.no_grad():
        for step in x:
            net(step)
            slopes.append(net[3].spike_grad.derivative(net[3].mem - 1))
    snn.utils.reset(net)
    return torch.stack(slopes)


def test_events_learn_the_distance_to_the_target_at_the_output():
    net = network(snn.Leaky(0.8, **HIDDEN))
    x, _ = task(net)
    classes = torch.tensor([0, 2, 4])
    with torch.no_grad():
        errors = torch.stack([net(step) for step in x]) - F.one_hot(classes, 5)
    wanted = learned(net, online.RTRL(), x, errors)
    learner = online.Learner(net, online.ETLP(rate=1.0))
    learner.reset()
    for step in x:
        assert not learner(step, target=classes).requires_grad
    assert difference(gradients(net), wanted) < EXACT
    never = online.Learner(net, online.ETLP(rate=0.0))
    for step in x:
        never(step, target=classes)
    assert all(grad is None for grad in gradients(net).values())


def test_local_losses_are_bptt_with_layers_cut_apart():
    net = network(snn.Leaky(0.8, learn_beta=True, **HIDDEN), layers=2)
    x, _ = lively_task(net)
    classes = torch.tensor([0, 2, 1])
    learner = online.Learner(net, online.DECOLLE(outputs=3))
    learner.reset()
    for step in x:
        learner(step, classes)
        learner.loss.backward()
    found, readouts = gradients(net), learner.feedback
    assert set(readouts) == set(learner.losses) == {"1", "3"}
    snn.utils.reset(net)
    loss, through = 0, 0
    for step in x:
        first = net[:2](step)
        second = net[2:](first.detach())
        loss = loss + F.cross_entropy(first @ readouts["1"].t(), classes)
        loss = loss + F.cross_entropy(second @ readouts["3"].t(), classes)
    loss.backward()
    wanted = gradients(net)
    assert difference(found, wanted) < EXACT
    snn.utils.reset(net)
    for step in x:
        first = net[:2](step)
        through = through + F.cross_entropy(first @ readouts["1"].t(), classes)
        through = through + F.cross_entropy(net[2:](first) @ readouts["3"].t(), classes)
    through.backward()
    assert difference(gradients(net), wanted) > BROKEN


def test_a_reward_is_paid_to_what_was_eligible():
    net = network(snn.Leaky(0.8, **HIDDEN))
    x, _ = lively_task(net)
    learner = online.Learner(net, online.Rule(signal="reward", kappa=0.5))
    learner.reset()
    for step in x:
        assert not learner(step).requires_grad
    learner.reward(torch.tensor([1.0, -2.0, 0.5]))
    found = gradients(net)
    # The same sum of e, weighted by what the filter leaves of each step, from a loss of the spikes.
    left = 0.5 ** torch.arange(len(x) - 1, -1, -1).double()
    costs = -left.view(-1, 1, 1) * torch.tensor([1.0, -2.0, 0.5]).double().view(1, 3, 1)
    wanted = learned(net, online.RTRL(), x, costs.expand(len(x), 3, 5))
    assert difference(found, wanted) < EXACT
    assert difference(found, {name: -grad for name, grad in wanted.items()}) > BROKEN


def test_two_calls_are_one():
    net, x, costs = three_layers()
    wanted = learned(net, online.RTRL(), x, costs)
    learner = online.Learner(net, online.RTRL())
    learner.reset()
    for step, cost in zip(x, costs, strict=True):
        assert not learner.step(step).requires_grad
        learner.learn(cost)
    assert difference(gradients(net), wanted) < EXACT


def test_some_steps_of_sltt_count_for_all():
    net, x, costs = three_layers()
    x, costs = x[:12], costs[:12]
    wanted = learned(net, online.SLTT(), x, costs)
    assert difference(learned(net, online.SLTT(k=4, of=4), x, costs), wanted) < EXACT
    learner = online.Learner(net, online.SLTT(k=1, of=4))
    learner.reset()
    learning = []
    for step, cost in zip(x, costs, strict=True):
        (learner(step) * cost).sum().backward()
        found = gradients(net)
        learning.append(found["0.weight"] is not None)
    assert [sum(learning[i : i + 4]) for i in (0, 4, 8)] == [1, 1, 1]
    chosen = torch.tensor(learning).view(-1, 1, 1) * 4.0
    rule = online.SLTT(k=1, of=4)
    scaled = learned(net, online.SLTT(), x, costs * chosen)
    assert difference(learned(net, rule, x, costs), scaled) < EXACT


def test_wrong_uses_of_signals_say_what_to_do():
    net = network(snn.Leaky(0.8, **HIDDEN), dtype=torch.float32)
    x = torch.ones(2, 6)
    for rule in (online.OSTTP(), online.DECOLLE(outputs=3)):
        with pytest.raises(ValueError, match=f"{rule.name} learns from targets: call learner"):
            online.Learner(net, rule)(x)
    learner = online.Learner(net, online.RTRL())
    for call, message in (
        (lambda: learner.reward(1.0), "RTRL takes no reward"),
        (lambda: learner.event(torch.zeros(2, 5)), "RTRL does not learn from events"),
        (lambda: learner.learn(torch.zeros(2, 5)), "RTRL: there is no step to learn from"),
        (lambda: learner.loss, "RTRL has no losses of its own"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    learner.step(x)
    with pytest.raises(ValueError, match=r"error must have the shape of the output, \(2, 5\)"):
        learner.learn(torch.zeros(5))
    wrong = network(snn.Leaky(0.8, **HIDDEN), head=READOUT, dtype=torch.float32)
    with pytest.raises(ValueError, match=r"feedback\['1'\] must be \[outputs, neurons\]"):
        online.Learner(wrong, online.EProp(feedback={"1": torch.ones(3, 3)}))(x).sum().backward()
    with pytest.raises(ValueError, match="n must be a number of steps from 1 on, not 0"):
        online.SnAp(n=0)
    with pytest.raises(ValueError, match="feedback must be one of"):
        online.EProp(feedback="fixed")
