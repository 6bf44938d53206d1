"""The learner: snnTorch's steps where it has them, and sequences, rewards and errors."""

import copy
import math
import pickle
import warnings

import pytest
import torch
from torch import nn

import bitspike as snn
import bitspike.functional as SF
from bitspike.functional.stdp_learner import STDPLearner
from helpers.compare import error, same_bits

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import snntorch
    from snntorch.functional import stdp_learner as theirs

T, B, K, N = 6, 3, 70, 5
TAUS = dict(tau_pre=2.0, tau_post=5.0)
LAYERS = {
    "linear": (lambda: nn.Linear(K, N), (K,)),
    "conv1d": (lambda: nn.Conv1d(2, 4, 3, padding=1), (2, 8)),
    "conv2d": (lambda: nn.Conv2d(2, 4, 3, stride=2), (2, 7, 6)),
}


def spikes(*shape):
    return (torch.rand(shape) < 0.4).float()


def synapse(case="linear"):
    """Small whole weights, with which sums are exact in any order."""
    torch.manual_seed(1)
    layer = LAYERS[case][0]()
    for p in layer.parameters():
        p.data = torch.randint(-2, 4, p.shape).float()
    return layer


def neuron(library=snn, **arguments):
    return library.Leaky(beta=0.5, threshold=2.0, init_hidden=True, **arguments)


def learner(case="linear", library=snn, kind=STDPLearner, multi_step=False, **arguments):
    """Synapse and neuron as a network, and their learner."""
    net = nn.Sequential(
        synapse(case), neuron(library, **(dict(multi_step=True) if multi_step else {}))
    )
    return net, kind(net[0], net[1], **TAUS, **arguments)


def sequence(case="linear", steps=T):
    torch.manual_seed(7)
    return spikes(steps, B, *LAYERS[case][1])


def loop(net, x):
    with torch.no_grad():
        for step in x:
            net(step)


@pytest.mark.parametrize("on_grad", [False, True])
@pytest.mark.parametrize("scale", [1.0, 0.125])
@pytest.mark.parametrize("case", LAYERS)
def test_it_equals_snntorch(case, scale, on_grad):
    found = []
    for library, kind in ((snntorch, theirs.STDPLearner), (snn, STDPLearner)):
        net, learns = learner(case, library, kind)
        changes = []
        for part in sequence(case).split(4):  # traces go on
            loop(net, part)
            change = learns.step(on_grad=on_grad, scale=scale)
            changes.append(net[0].weight.grad.clone() if on_grad else change)
        found.append((*changes, learns.trace_pre, learns.trace_post))
    for wanted, actual in zip(*found, strict=True):
        assert actual.any() and error(actual, wanted) < 1e-6
    assert same_bits(found[0][-1], found[1][-1]) and same_bits(found[0][-2], found[1][-2])


def changed(net, learns, run, x, **options):
    with torch.no_grad():
        run(net, x)
    return learns.step(on_grad=False, **options)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("steps", [1, T])
@pytest.mark.parametrize("case", LAYERS)
def test_a_sequence_is_its_steps(case, steps, packed):
    x = sequence(case, steps)
    expected = changed(*learner(case), loop, x)
    given = snn.SpikeTensor.from_dense(x) if packed else x
    assert error(changed(*learner(case), snn.unroll, given), expected) < 1e-6
    net, learns = learner(case, multi_step=True)

    def whole(net, x):
        currents = net[0](x) if case == "linear" else net[0](x.flatten(0, 1))
        net[1](currents.view(steps, B, *currents.shape[-x.dim() + 2 :]))

    assert error(changed(net, learns, whole, given), expected) < 1e-6


def test_an_input_that_is_the_same_at_all_steps():
    x = sequence()[0].expand(T, B, K)
    expected = changed(*learner(), loop, x)
    assert error(changed(*learner(), snn.unroll, x), expected) < 1e-6


def test_records_are_packed_and_have_no_graph():
    net, learns = learner(multi_step=True)
    before = sum(snn.unpacked_operations().values())
    net(snn.SpikeTensor.from_dense(sequence())).sum().backward()
    records = learns.in_spike_monitor.records + learns.out_spike_monitor.records
    assert all(type(x) is snn.SpikeTensor and not x.requires_grad for x in records)
    assert sum(snn.unpacked_operations().values()) == before
    learned = net[0].weight.grad.clone()
    learns.step()
    assert sum(snn.unpacked_operations().values()) == before
    assert not net[0].weight.grad.requires_grad and not learns.trace_post.requires_grad
    assert not torch.equal(net[0].weight.grad, learned)
    assert not learns.in_spike_monitor.records and not learns.out_spike_monitor.records


@pytest.mark.isa
@pytest.mark.parametrize("scales", [{}, {"f_pre": lambda w: 0.1, "f_post": torch.sigmoid}])
@pytest.mark.parametrize("batch", [1, 5])
def test_a_packed_sequence_is_its_steps_to_the_bit(batch, scales):
    fc, lif = nn.Linear(K, 33), neuron(multi_step=True)
    learns = STDPLearner(fc, lif, **TAUS, **scales)
    pre = post = None
    total = torch.zeros(33, K)
    for part in (spikes(9, batch, K), spikes(4, batch, K)):
        packed = snn.SpikeTensor.from_dense(part)
        with torch.no_grad():
            out = lif(8 * fc(packed))
        for step, fired in zip(packed, out, strict=True):
            pre, post, change = SF.stdp_learner.stdp_linear_single_step(
                fc, step, fired, pre, post, **TAUS, **scales
            )
            total = total + change
    found = learns.step(on_grad=False)
    assert found.any() and same_bits(found, total)
    assert same_bits(learns.trace_pre, pre) and same_bits(learns.trace_post, post)


def test_an_optimiser_adds_the_change():
    net, learns = learner(f_pre=lambda w: 0.0, f_post=lambda w: 1.0)
    before = net[0].weight.detach().clone()
    loop(net, sequence())
    learns.step()
    torch.optim.SGD([net[0].weight], lr=1.0).step()
    expected = changed(*learner(f_pre=lambda w: 0.0, f_post=lambda w: 1.0), loop, sequence())
    torch.testing.assert_close(net[0].weight, before + expected)


def test_nothing_recorded_is_nothing_learned():
    with pytest.raises(TypeError):
        learner(library=snntorch, kind=theirs.STDPLearner)[1].step()
    net, learns = learner()
    assert learns.step() is None and net[0].weight.grad is None
    assert same_bits(learns.step(on_grad=False), torch.zeros(N, K))
    net[0].weight.grad = torch.ones(N, K)
    learns.step()
    assert same_bits(net[0].weight.grad, torch.ones(N, K))


def test_reset_is_a_fresh_start():
    with pytest.raises(AttributeError):
        learner(library=snntorch, kind=theirs.STDPLearner)[1].reset()
    net, learns = learner()
    first = changed(net, learns, loop, sequence())
    loop(net, sequence()[:2])
    snn.utils.reset(net)
    learns.reset()
    assert learns.trace_pre is learns.trace_post is learns.eligibility is None
    assert same_bits(changed(net, learns, loop, sequence()), first)


def test_disable_and_enable():
    net, learns = learner()
    learns.disable()
    loop(net, sequence())
    assert not learns.step(on_grad=False).any()
    learns.enable()
    loop(net, sequence())
    assert learns.step(on_grad=False).any()


def test_copies():
    (fc, lif), learns = learner()
    net = nn.ModuleDict({"fc": fc, "lif": lif, "learns": learns})
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        other["lif"](other["fc"](sequence()[0]))
        assert other["learns"].step(on_grad=False).shape == (N, K)
        assert not learns.in_spike_monitor.records


# Rewards


def rewarded(tau_trace=3.0, **arguments):
    return learner(tau_trace=tau_trace, **arguments)


def by_hand(x, rewards, tau_trace=3.0):
    """The sum over steps of reward times eligibility, for one reward ``[B]`` per step."""
    net = nn.Sequential(synapse(), neuron())
    pre = post = trace = change = 0.0
    for step, reward in zip(x, rewards, strict=True):
        with torch.no_grad():
            out = net(step)
        pre, post, now = theirs.mstdp_linear_single_step(net[0], step, out, pre, post, **TAUS)
        trace = trace * math.exp(-1 / tau_trace) + now
        change = change + (reward.view(B, 1, 1) * trace).sum(0)
    return change


REWARDS = {
    "number": (0.5, torch.full((T, B), 0.5)),
    "whole number": (2, torch.full((T, B), 2.0)),
    "samples": (torch.tensor([1.0, 0, -2]), torch.tensor([1.0, 0, -2]).expand(T, B)),
    "steps": (torch.arange(6.0).view(T, 1), torch.arange(6.0).view(T, 1).expand(T, B)),
    "both": (torch.arange(18.0).view(T, B), torch.arange(18.0).view(T, B)),
    "none": (0.0, torch.zeros(T, B)),
}


@pytest.mark.parametrize("case", REWARDS)
def test_rewards(case):
    reward, each = REWARDS[case]
    expected = by_hand(sequence(), each)
    assert expected.any() == (case != "none")
    for run in (loop, snn.unroll):
        assert error(changed(*rewarded(), run, sequence(), reward=reward), expected) < 1e-5


def test_a_reward_pays_for_earlier_spikes():
    net, learns = rewarded()
    total = 0.0
    rewards = torch.tensor([0.0, 0, 0, 2, 0, -1])
    for step, reward in zip(sequence(), rewards, strict=True):
        loop(net, step.unsqueeze(0))
        change = learns.step(on_grad=False, reward=reward)
        assert change.any() == bool(reward)
        total = total + change
    assert error(total, by_hand(sequence(), rewards.view(T, 1).expand(T, B))) < 1e-5


def test_rewards_reach_the_gradient():
    net, learns = rewarded()
    loop(net, sequence())
    learns.step(reward=1.0, scale=0.5)
    assert error(net[0].weight.grad, -0.5 * by_hand(sequence(), torch.ones(T, B))) < 1e-5


# Errors


def test_what_cannot_learn():
    with pytest.raises(
        TypeError, match=r"synapse must be nn.Linear or nn.Conv1d or nn.Conv2d, not"
    ):
        STDPLearner(nn.Conv3d(1, 1, 1), neuron(), **TAUS)
    with pytest.raises(TypeError, match=r"synapse must be nn.Linear with tau_trace, not Conv1d"):
        STDPLearner(nn.Conv1d(1, 1, 1), neuron(), **TAUS, tau_trace=2.0)
    for name in ("tau_pre", "tau_post", "tau_trace"):
        with pytest.raises(ValueError, match=f"{name} must be a positive number of steps, not 0"):
            STDPLearner(synapse(), neuron(), **(TAUS | {name: 0}))


def test_spikes_alone():
    lif = snn.Leaky(beta=0.5)
    STDPLearner(synapse(), lif, **TAUS)
    with pytest.raises(TypeError, match="sn must return its spikes alone, not 2 tensors"):
        lif(torch.ones(B, N))
    fc, _ = learner()
    with pytest.raises(TypeError, match="synapse must take its input alone, not 0 tensors"):
        fc[0](input=torch.ones(B, K))


def test_sides_that_do_not_match():
    net, learns = learner()
    net[0](sequence()[0])
    with pytest.raises(ValueError, match="synapse was called 1 times and sn 0 times"):
        learns.step()
    learns.reset()
    net[0](sequence()[:4])
    net[1].run_sequence(torch.zeros(T, B, N))
    with pytest.raises(ValueError, match="synapse was called 1 times and sn 0 times"):
        learns.step()
    learns.reset()
    net, learns = learner(multi_step=True)
    net[0](sequence()[:4])
    net[1](torch.zeros(T, B, N))
    with pytest.raises(ValueError, match=r"6 steps, \[6, 3, 5\], .* cannot be \[4, 3, 70\]"):
        learns.step()


def test_another_batch():
    net, learns = learner()
    changed(net, learns, loop, sequence())
    loop(net, sequence()[:, :2])
    with pytest.raises(ValueError, match=r"\[3, 5\], and now sn returned \[2, 5\]: call reset"):
        learns.step()


def test_rewards_that_do_not_fit():
    net, learns = rewarded()
    loop(net, sequence())
    with pytest.raises(ValueError, match=r"\[T, B\] for \(T, B\) = \(6, 3\), not \[4, 3\]"):
        learns.step(reward=torch.ones(4, 3))
    with pytest.raises(ValueError, match="reward must be given to a learner with tau_trace"):
        learns.step()
    with pytest.raises(ValueError, match="and to no other: reward=1, tau_trace=None"):
        learner()[1].step(reward=1)


def test_names():
    assert SF.stdp_learner.STDPLearner is STDPLearner
    assert SF.quant.state_quant and SF.quant.StateQuant and SF.probe.BaseMonitor is SF.BaseMonitor
