"""What a learner keeps, saves, and refuses."""

import copy
import io

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.learning import online
from helpers.compare import first, same_bits
from helpers.online import EXACT, HIDDEN, difference, gradients, learned, network, task
from helpers.program import assert_succeeds

MEMORY = """
import resource, torch, bitspike as snn
from torch import nn
from bitspike.learning import online
torch.set_num_threads(1)
net = nn.Sequential(nn.Linear(64, 64), snn.Leaky(0.9, init_hidden=True, reset_mechanism={reset!r}),
                    nn.Linear(64, 64), snn.Leaky(0.9, init_hidden=True))
learner = online.Learner(net, online.{rule}())
x = (torch.rand(25, 4, 64) < 0.2).float()

def run(steps):
    for t in range(steps):
        learner(x[t % 25]).sum().backward()
    for _ in range(steps // 25):
        learner.block(x).sum().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

before = run(100)
assert run(500) - before < 1024, "KiB more"
"""
# One step of this network in a graph takes more than 4 KiB, 500 of them more than 2 MiB.


@pytest.mark.parametrize("rule, reset", [("RTRL", "subtract"), ("RTRL", "zero")])
def test_memory_does_not_grow_with_steps(rule, reset):
    assert_succeeds(MEMORY.format(rule=rule, reset=reset), timeout=120)


def restored(state):
    """What comes out of a file."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize("rule", [online.RTRL(), online.OTTT(), online.SLTT()])
@pytest.mark.parametrize(
    "neuron",
    [
        lambda: snn.Leaky(0.8, learn_beta=True, **HIDDEN),
        lambda: snn.Synaptic(0.6, 0.8, reset_mechanism="zero", **HIDDEN),
    ],
)
def test_a_saved_learner_goes_on_to_the_bit(neuron, rule):
    net = network(neuron(), layers=2, dtype=torch.float32)
    x, costs = task(net, dtype=torch.float32)
    learner = online.Learner(net, rule)
    for step in x[:8]:
        learner(step).sum().backward()
    gradients(net)
    saved = restored(learner.state_dict())
    other = online.Learner(copy.deepcopy(net), rule)
    other.load_state_dict(saved)
    for step, cost in zip(x[8:], costs[8:], strict=True):
        results = [one(step) for one in (learner, other)]
        assert same_bits(*results)
        for result in results:
            (result * cost).sum().backward()
    found, wanted = gradients(other.net), gradients(net)
    assert all(same_bits(found[name], wanted[name]) for name in wanted)


def test_a_state_of_another_rule_or_network_is_refused():
    net = network(snn.Leaky(0.8, **HIDDEN))
    state = online.Learner(net, online.RTRL()).state_dict()
    with pytest.raises(ValueError, match="the state dict is of RTRL"):
        online.Learner(net, online.OTTT()).load_state_dict(state)
    with pytest.raises(ValueError, match="the state dict is of RTRL"):
        deeper = network(snn.Leaky(0.8, **HIDDEN), layers=2)
        online.Learner(deeper, online.RTRL()).load_state_dict(state)


def test_large_traces_are_warned_of_once():
    net = network(snn.Leaky(0.8, reset_mechanism="zero", **HIDDEN))
    learner = online.Learner(net, online.RTRL(), max_trace_bytes=500)
    with pytest.warns(UserWarning, match=r"RTRL: the traces of 1 take 840 bytes, .*online.OTTT"):
        learner(torch.ones(3, 6, dtype=torch.float64))
    learner(torch.ones(3, 6, dtype=torch.float64))
    small = online.Learner(net, online.OTTT(), max_trace_bytes=500)
    small(torch.ones(3, 6, dtype=torch.float64))


def test_a_reset_forgets():
    net = network(snn.Leaky(0.8, **HIDDEN))
    x, costs = task(net)
    wanted = learned(net, online.RTRL(), x, costs)
    learner = online.Learner(net, online.RTRL())
    for _ in range(2):
        learner.reset()
        for step, cost in zip(x, costs, strict=True):
            (learner(step) * cost).sum().backward()
        assert difference(gradients(net), wanted) < EXACT


def test_an_evaluation_leaves_traces_alone():
    net = network(snn.Leaky(0.8, **HIDDEN))
    learner = online.Learner(net, "rtrl")
    learner(torch.ones(2, 6, dtype=torch.float64))
    before = learner.state_dict()["traces"]
    result = learner.eval()(torch.ones(2, 6, dtype=torch.float64))
    assert not result.requires_grad and not net.training
    after = learner.train().state_dict()["traces"]
    assert torch.equal(before["1"][0]["weight"][0], after["1"][0]["weight"][0])


def test_steps_without_a_loss_count():
    """The past counts whether or not there was a loss, and whether or not a graph was made."""
    net = network(snn.Leaky(0.8, **HIDDEN))
    x, costs = task(net)
    late = torch.cat([torch.zeros_like(costs[:10]), costs[10:]])
    learner = online.Learner(net, online.RTRL())
    with torch.no_grad():
        for step in x[:5]:
            learner(step)
    for step in x[5:10]:
        learner(step)
    for step, cost in zip(x[10:], costs[10:], strict=True):
        (learner(step) * cost).sum().backward()
    assert difference(gradients(net), learned(net, online.RTRL(), x, late)) < EXACT


def test_optimisers_update_while_it_runs():
    net = network(snn.Leaky(0.8, **HIDDEN), dtype=torch.float32)
    x, _ = task(net, dtype=torch.float32)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    learner = online.Learner(net, online.RTRL())
    losses = []
    for _ in range(40):
        learner.reset()
        total = 0.0
        for step in x:
            loss = (learner(step) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        losses.append(total)
    assert sum(losses[-5:]) < 0.98 * sum(losses[:5])


class Branches(nn.Module):
    """Two layers, the second of which is driven as ``how`` says."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.fc1, self.fc2 = nn.Linear(6, 5), nn.Linear(5, 5)
        self.lif1, self.lif2 = snn.Leaky(0.8, **HIDDEN), snn.Leaky(0.7, **HIDDEN)

    def forward(self, x):
        spikes = self.lif1(self.fc1(x))
        if self.how == "module":
            return self.lif2(self.fc2(spikes))
        if self.how == "scaled":
            return self.lif2(2 * self.fc2(spikes))
        return self.lif1(self.fc2(spikes))


def test_an_ordinary_module_learns_as_the_same_sequence():
    net = Branches("module").double()
    with torch.no_grad():
        net.fc1.weight *= 3
        net.fc2.weight *= 3
    same = nn.Sequential(net.fc1, net.lif1, net.fc2, net.lif2)
    x, costs = task(same)
    wanted = list(learned(same, online.RTRL(), x, costs).values())
    for block in (None, 5):
        found = list(learned(net, online.RTRL(), x, costs, block).values())
        assert all(error < EXACT for error in map(relative, found, wanted))


def relative(found, wanted):
    return difference({"": found}, {"": wanted})


@pytest.mark.parametrize("how, message", [("scaled", "stands between"), ("twice", "called twice")])
def test_what_cannot_be_paired_is_refused(how, message):
    with pytest.raises((TypeError, ValueError), match=f"RTRL: .*{message}"):
        online.Learner(Branches(how), online.RTRL())(torch.ones(2, 6))


def test_a_rule_without_traces_takes_what_cannot_be_paired():
    net = Branches("scaled").double()
    x, costs = task(net)
    assert learned(net, online.SLTT(), x, costs)["fc1.weight"].abs().max() > 0


@pytest.mark.parametrize(
    "net, rule, error, message",
    [
        (nn.Linear(2, 2), "rtrl", TypeError, "RTRL: net has no spiking neurons"),
        (snn.Leaky(0.5), "rtrl", ValueError, "RTRL: Leaky must keep its state .* init_hidden=True"),
        (snn.Leaky(0.5, **HIDDEN, multi_step=True), "sltt", ValueError, "multi_step=False"),
        (snn.SLSTM(2, 2, **HIDDEN), "rtrl", TypeError, "SLSTM, has no trace form: it has weights"),
        (snn.Leaky(0.5, **HIDDEN, order="fire_first"), "rtrl", TypeError, "order='fire_first'"),
        (
            snn.Leaky(0.5, **HIDDEN, inhibition=snn.KWTA(1)),
            "ottt",
            TypeError,
            "OTTT: Leaky, a Leaky, has no trace form: inhibition",
        ),
        (snn.RLeaky(0.5, linear_features=2, **HIDDEN), "ottt", TypeError, "online.EProp"),
        (snn.ALIF(torch.rand(2), 0.5, 0.5, **HIDDEN), "ottt", TypeError, "give lam"),
        (snn.Leaky(0.5, **HIDDEN), "bptt", ValueError, "rule must be one of rtrl, sltt"),
    ],
)
def test_wrong_uses_say_what_to_do(net, rule, error, message):
    with pytest.raises(error, match=message):
        online.Learner(net, rule)


def test_another_batch_or_block_is_refused():
    learner = online.Learner(network(snn.Leaky(0.8, **HIDDEN), dtype=torch.float32), "rtrl")
    learner(torch.ones(2, 6))
    with pytest.raises(ValueError, match=r"x has 3 samples, but traces are of 2; call reset\(\)"):
        learner(torch.ones(3, 6))
    with pytest.raises(ValueError, match=r"x must be a block \[K, B, \*\]"):
        learner.block(torch.ones(6))
    with pytest.raises(ValueError, match="within must be 'rule' or 'bptt'"):
        learner.block(torch.ones(4, 2, 6), within="block")
    learner = online.Learner(network(snn.Leaky(0.8, **HIDDEN)), "ottt")
    with pytest.raises(ValueError, match="OTTT: within='bptt' is not offered: it drops"):
        learner.block(torch.ones(4, 2, 6), within="bptt")


def test_modules_of_which_there_is_no_trace_are_named():
    net = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 5), snn.Leaky(0.8, **HIDDEN))
    with pytest.warns(UserWarning, match="RTRL holds no traces of the parameters of 0, which"):
        learner = online.Learner(net, online.RTRL())
    first(learner(torch.rand(3, 6))).sum().backward()
    assert net[0].weight.grad is not None


@pytest.mark.parametrize(
    "options, message",
    [
        ({"trace": "none"}, "R: trace='none' goes with recurrence in"),
        ({"trace": "rows"}, "trace must be one of"),
        ({"leak": 0.5}, "R: leak is the decay of trace='input'"),
        ({"kappa": 1.5}, "R: kappa must be a decay from 0 to 1"),
        ({"trace": "input", "recurrence": "leak", "kappa": 0.5}, "R: kappa filters"),
        ({"gain": 0.5}, "R: gain is for other traces"),
        ({"reach": 2}, "R: reach is that of trace='synapse' with recurrence='full'"),
        ({"recurrence": "full", "reach": 0}, "R: reach must be a number of steps from 1 on"),
        ({"signal": "local"}, "R: outputs, the size"),
        ({"rate": 0.1}, "R: rate is that of events"),
        ({"post": (0.5, 1.0)}, "R: trace='pair', and no other, needs post"),
        ({"trace": "none", "recurrence": "none", "steps": (3, 2)}, r"R: steps must be \(k, of\)"),
        ({"trace": "input", "recurrence": "leak", "signal": "reward"}, "R: signal='reward'"),
    ],
)
def test_axes_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        online.Rule(name="R", **options)
