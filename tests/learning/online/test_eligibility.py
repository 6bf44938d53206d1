"""Eligibility traces: e-prop, OTPE, RFLO, and what recurrent layers send to themselves."""

import itertools

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.learning import online
from bitspike.learning.online._rank_one import RankOne
from bitspike.surrogate import Triangle
from helpers.online import (
    BROKEN,
    EXACT,
    HIDDEN,
    bptt,
    difference,
    expect_life,
    gradients,
    learned,
    lively_task,
    network,
    task,
)

RECURRENT = {"linear_features": 5, **HIDDEN}


def with_readout(neuron, beta):
    return network(neuron, head=(nn.Linear(5, 4), snn.LI(beta, **HIDDEN)))


def hidden(found):
    """The gradients of the first layer."""
    return {name: x for name, x in found.items() if name[0] in "01"}


@pytest.mark.parametrize(
    "neuron",
    [
        snn.Leaky(0.8, learn_beta=True, learn_threshold=True, **HIDDEN),
        snn.Leaky(0.8, reset_mechanism="zero", **HIDDEN),
        snn.ALIF(0.8, 0.9, 0.3, **HIDDEN),
        snn.Synaptic(0.6, 0.8, **HIDDEN),
    ],
    ids=["Leaky", "zero", "ALIF", "Synaptic"],
)
def test_eprop_filtered_as_the_readout_is_bptt(neuron):
    net = with_readout(neuron, 0.75)
    x, costs = lively_task(net)
    wanted = bptt(net, x, costs)
    assert difference(learned(net, online.EProp(kappa=0.75), x, costs), wanted) < EXACT
    assert difference(learned(net, online.EProp(kappa=0.3), x, costs), wanted) > BROKEN
    steps = learned(net, online.EProp(kappa=0.75), x, costs)
    assert difference(learned(net, online.EProp(kappa=0.75), x, costs, 5), steps) < EXACT


@pytest.mark.parametrize(
    "neuron",
    [snn.RLeaky(0.8, **RECURRENT), snn.RALIF(0.8, 0.9, 0.3, **RECURRENT)],
    ids=["RLeaky", "RALIF"],
)
def test_eprop_of_a_recurrent_layer_is_autograd_with_spikes_as_given(neuron):
    net = with_readout(neuron, 0.75)
    x, costs = lively_task(net)
    found = learned(net, online.EProp(kappa=0.75), x, costs)
    handle = net[1].recurrent.register_forward_pre_hook(lambda _, args: (args[0].detach(),))
    assert difference(found, bptt(net, x, costs)) < EXACT
    handle.remove()
    assert difference(found, bptt(net, x, costs)) > BROKEN


def test_the_adaptation_of_a_spike_has_a_gradient():
    """Of the neuron's own spike, in ``a``: by itself it is not given."""
    net = with_readout(snn.RALIF(0.8, 0.9, 0.3, **RECURRENT), 0.75)
    x, costs = lively_task(net)
    found = learned(net, online.EProp(kappa=0.75), x, costs)
    net[1].recurrent.register_forward_pre_hook(lambda _, args: (args[0].detach(),))
    assert difference(found, bptt(net, x, costs)) < EXACT
    fire = net[1]._spike
    net[1]._fired = lambda level: (None, fire(level))
    net[1]._spike = lambda level: fire(level).detach()
    assert difference(found, bptt(net, x, costs)) > BROKEN


def test_the_trace_of_an_adaptive_threshold_by_hand():
    """U = (1.2, .8, 1.6), A = (1, 1.5, 1.4), ψ = (.8, .3, .8), e = ψ(μ - β_a ε^a)."""
    neuron = snn.ALIF(0.5, 0.8, 0.5, spike_grad=Triangle(1.0), **HIDDEN)
    net = nn.Sequential(nn.Linear(1, 1, bias=False), neuron).double()
    with torch.no_grad():
        net[0].weight.fill_(1.2)
    learner, found = online.Learner(net, online.EProp()), []
    for _ in range(3):
        spikes = learner(torch.ones(1, 1, dtype=torch.float64))
        spikes.sum().backward()
        threshold = 1 + 0.5 * neuron.a
        e = gradients(net)["0.weight"]
        found.append([y.item() for y in (neuron.mem, spikes, threshold, e)])
    wanted = [[1.2, 1, 1, 0.8], [0.8, 0, 1.5, 0.33], [1.6, 1, 1.4, 1.012]]
    assert found == [pytest.approx(row) for row in wanted]


RULES_BY_HAND = {
    "EProp": (online.EProp(kappa=0.5), (1.575, 2.15)),
    "OTPE": (online.OTPE(lam=0.5), (1.575, 2.15)),
    "S-TLLR": (online.STLLR(0.5, 0.5, -0.2, 1.0), (1.645, 1.81)),
}


@pytest.mark.parametrize("name", RULES_BY_HAND)
def test_gradients_of_filtered_and_paired_traces_by_hand(name):
    rule, wanted = RULES_BY_HAND[name]
    neuron = snn.Leaky(0.5, spike_grad=Triangle(1.0), **HIDDEN)
    net = nn.Sequential(nn.Linear(2, 1, bias=False), neuron).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.8, 0.6]]))
    x = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]], dtype=torch.float64).unsqueeze(1)
    costs = torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64).view(3, 1, 1)
    found = learned(net, rule, x, costs)["0.weight"].flatten().tolist()
    assert found == pytest.approx(wanted)


def test_snap_is_eprop_if_no_neuron_sends_to_itself():
    net = with_readout(snn.RLeaky(0.8, **RECURRENT), 0.75)
    x, costs = lively_task(net)
    assert difference(*(learned(net, r, x, costs) for r in (online.SnAp(), online.EProp()))) > 1e-3
    with torch.no_grad():
        net[1].recurrent.weight.fill_diagonal_(0)
    assert difference(*(learned(net, r, x, costs) for r in (online.SnAp(), online.EProp()))) < EXACT


@pytest.mark.parametrize("kind", ["RLeaky", "RSynaptic", "RALIF"])
def test_snap_is_bptt_if_neurons_send_to_themselves_alone(kind):
    common = {"V": torch.linspace(-0.5, 0.5, 5), "all_to_all": False, **HIDDEN}
    decays = {"RLeaky": (0.8,), "RSynaptic": (0.6, 0.8), "RALIF": (0.8, 0.9, 0.3)}
    neuron = getattr(snn, kind)(*decays[kind], **common)
    net = network(neuron)
    x, costs = lively_task(net)
    wanted = bptt(net, x, costs)
    assert "1.V" in wanted
    for block in (None, 5):
        assert difference(learned(net, online.SnAp(), x, costs, block), wanted) < EXACT
    assert difference(learned(net, online.EProp(), x, costs), wanted) > BROKEN


@pytest.mark.parametrize(
    "neuron",
    [
        snn.RLeaky(0.8, learn_beta=True, learn_threshold=True, **RECURRENT),
        snn.RLeaky(0.8, reset_mechanism="zero", **RECURRENT),
        snn.RSynaptic(0.6, 0.8, **RECURRENT),
        snn.RALIF(0.8, 0.9, 0.3, learn_rho=True, learn_beta_a=True, **RECURRENT),
    ],
    ids=["RLeaky", "zero", "RSynaptic", "RALIF"],
)
def test_rtrl_of_a_recurrent_layer_is_bptt(neuron):
    net = network(neuron)
    x, costs = lively_task(net)
    wanted = bptt(net, x, costs)
    assert difference(learned(net, online.RTRL(), x, costs), wanted) < EXACT
    assert difference(learned(net, online.SnAp(), x, costs), wanted) > BROKEN


def test_recurrent_convolutions_learn_by_eprop_and_snap():
    neuron = snn.RLeaky(0.8, conv2d_channels=2, kernel_size=3, **HIDDEN)
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), neuron).double()
    with torch.no_grad():
        net[0].weight *= 3
    x, costs = lively_task(net, (1, 4, 4))
    found = learned(net, online.EProp(), x, costs)
    handle = net[1].recurrent.register_forward_pre_hook(lambda _, args: (args[0].detach(),))
    assert difference(found, bptt(net, x, costs)) < EXACT
    handle.remove()
    assert difference(learned(net, online.SnAp(), x, costs), found) > BROKEN
    with pytest.raises(TypeError, match="RTRL: 1 sends spikes to itself, and its connection is"):
        online.Learner(net, online.RTRL())(x[0])


def test_otpe_is_bptt_below_a_layer_of_its_decay():
    net = network(snn.Leaky(0.8, **HIDDEN), layers=1)
    net = nn.Sequential(*net, nn.Linear(5, 4), snn.Leaky(0.75, **HIDDEN)).double()
    with torch.no_grad():
        net[2].weight *= 3
    x, costs = lively_task(net)
    wanted = hidden(bptt(net, x, costs))
    assert difference(hidden(learned(net, online.OTPE(lam=0.75), x, costs)), wanted) < EXACT
    for rule in (online.OTTT(), online.OSTL(), online.OTPE(lam=0.5)):
        assert difference(hidden(learned(net, rule, x, costs)), wanted) > BROKEN


def test_approximate_otpe_is_a_product_of_two_traces():
    net = nn.Sequential(nn.Linear(2, 3), snn.Leaky(0.8, **HIDDEN)).double()
    x, costs = task(net, (2,))
    found = learned(net, online.OTPE(lam=0.6, approx=True), x, costs)
    membrane, mean, trace, wanted = 0, 0, 0, 0
    for step, cost in zip(x, costs, strict=True):
        reset = (membrane > 1) * 1.0 if torch.is_tensor(membrane) else 0
        membrane = (0.8 * membrane + net[0](step) - reset).detach()
        mean = 0.6 * mean + 0.4 * net[1].spike_grad.derivative(membrane - 1)
        trace = 0.6 * trace + step
        wanted = wanted + (cost * mean).t() @ trace
    assert difference({"": found["0.weight"]}, {"": wanted}) < 1e-6


def test_rflo_is_bptt_of_a_leaky_rate_network():
    net = network(snn.Leaky(0.0, reset_mechanism="none", **HIDDEN))
    x, costs = lively_task(net)
    rate, loss = 0, 0
    for step, cost in zip(x, costs, strict=True):
        rate = 0.75 * rate + 0.25 * net(step)
        loss = loss + (rate * cost).sum()
    loss.backward()
    wanted = gradients(net)
    assert difference(learned(net, online.RFLO(lam=0.75), x, costs), wanted) < EXACT
    net[1].beta.fill_(0.5)
    assert difference(learned(net, online.RFLO(lam=0.75), x, costs), wanted) > BROKEN


def test_rflo_scales_recurrent_weights_as_others():
    """In one step from rest, and in the second, p = (1-λ)ψx for either."""
    net = network(snn.RLeaky(0.8, **RECURRENT))
    x, costs = task(net)
    found = learned(net, online.RFLO(lam=0.0), x, costs)
    wanted = learned(net, online.SLTT(), x, costs)
    assert difference(found, wanted) < EXACT
    scaled = learned(net, online.Rule(trace="none", recurrence="none", gain=0.5), x, costs)
    assert difference({n: 2 * g for n, g in scaled.items()}, wanted) < EXACT


def test_stllr_without_what_comes_after_is_ottt():
    net = network(snn.Leaky(0.8, **HIDDEN), layers=2)
    x, costs = lively_task(net)
    wanted = learned(net, online.OTTT(0.8), x, costs)
    assert difference(learned(net, online.STLLR(0.5, 0.8, 0.0, 1.0), x, costs), wanted) < EXACT
    assert difference(learned(net, online.STLLR(0.5, 0.8, -0.2, 1.0), x, costs), wanted) > BROKEN


def test_the_mean_of_uoro_over_all_signs_is_rtrl(monkeypatch):
    neuron = snn.RLeaky(0.8, linear_features=2, **HIDDEN)
    net = nn.Sequential(nn.Linear(3, 2), neuron).double()
    with torch.no_grad():
        net[0].weight *= 4
    x, costs = (torch.rand(3, 1, 3) < 0.7).double(), torch.randn(3, 1, 2).double()
    expect_life(net, x)
    wanted = learned(net, online.RTRL(), x, costs)
    singles = []
    # Two steps are followed by another one; each has signs of two spikes and two membranes.
    for draw in itertools.product((-1.0, 1.0), repeat=8):
        queue = iter([draw[i : i + 2] for i in range(0, 8, 2)])

        def signs(self, like, queue=queue):
            return like.new_tensor(next(queue, (1.0, 1.0))).view(1, 2)

        monkeypatch.setattr(RankOne, "signs", signs)
        singles.append(learned(net, online.UORO(), x, costs))
    mean = {name: torch.stack([one[name] for one in singles]).mean(0) for name in wanted}
    assert difference(mean, wanted) < EXACT
    assert difference(singles[0], wanted) > BROKEN
    assert difference(singles[0], singles[-1]) < EXACT  # all signs are the opposite ones
