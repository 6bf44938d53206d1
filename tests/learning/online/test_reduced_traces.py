"""Rules that keep less of the past: SLTT nothing, OTTT a filtered input."""

import pytest
import torch

import bitspike as snn
from bitspike import utils
from bitspike.learning import online
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


def test_sltt_is_autograd_with_states_cut_off():
    net = network(snn.Leaky(0.8, learn_beta=True, **HIDDEN), layers=2)
    x, costs = lively_task(net)
    found = learned(net, online.SLTT(), x, costs)
    assert difference(found, bptt(net, x, costs, between=utils.detach)) < EXACT
    assert difference(found, bptt(net, x, costs)) > BROKEN


def test_ottt_without_memory_is_sltt():
    net = network(snn.Leaky(0.8, **HIDDEN), layers=2)
    x, costs = lively_task(net)
    wanted = learned(net, online.SLTT(), x, costs)
    assert difference(learned(net, online.OTTT(lam=0.0), x, costs), wanted) < EXACT
    assert difference(learned(net, online.OTTT(lam=0.1), x, costs), wanted) > BROKEN


@pytest.mark.parametrize("reset", ["subtract", "none", "zero"])
def test_ottt_is_exact_next_to_the_loss_if_nothing_is_erased(reset):
    net = network(snn.Leaky(0.8, reset_mechanism=reset, **HIDDEN), layers=2)
    x, costs = lively_task(net)
    found, wanted = learned(net, online.OTTT(), x, costs), bptt(net, x, costs)
    last = difference(*({"2.weight": x["2.weight"]} for x in (found, wanted)))
    assert last < EXACT if reset != "zero" else last > BROKEN
    assert difference(found, wanted) > BROKEN


def test_ottt_takes_the_decay_of_the_neurons_behind():
    net = network(snn.Leaky(0.8, **HIDDEN))
    x, costs = task(net)
    wanted = learned(net, online.OTTT(), x, costs)
    assert difference(learned(net, online.OTTT(lam=0.8), x, costs), wanted) < 1e-6
    net[1].beta.fill_(0.3)
    assert difference(learned(net, online.OTTT(), x, costs), wanted) > BROKEN
    assert torch.equal(net[1].beta, torch.tensor(0.3, dtype=torch.float64))
