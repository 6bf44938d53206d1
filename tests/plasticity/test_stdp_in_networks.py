"""Rules of pairs and triplets at work: sequences, layers, optimisers, states, and wrong uses."""

import math

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import plasticity
from helpers.compare import error, same_bits
from helpers.synapses import network, run

RULES = {
    "stdp": plasticity.STDP,
    "power": lambda: plasticity.STDP(bound="power", mu=(0.1, 0.5)),
    "nearest": lambda: plasticity.STDP(pairing="nearest", coincident="both", bound="soft"),
    "inhibitory": lambda: plasticity.InhibitorySTDP(0.1),
    "triplet": plasticity.TripletSTDP,
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", ["linear", "conv1d", "conv2d"])
@pytest.mark.parametrize("rule", RULES)
def test_steps_are_a_sequence_and_bits_are_numbers(rule, case, dtype):
    results = []
    for how in ("steps", "sequence", "packed", "two calls"):
        net, x = network(case, dtype)
        learns = RULES[rule]()
        if how == "steps":
            # Not attached to the neuron's feedback: weights change while it runs.
            fired = run(net, x)
            learns.attach(net[0])
            for pair in zip(x, fired, strict=True):
                learns.record(*pair)
                learns.step(lr=0.05)
        else:
            if how == "sequence":
                learns.attach(*net)
                run(net, x)
            else:
                fired = run(net, x)
                learns.attach(net[0])
            if how == "packed":
                learns.record(*(snn.SpikeTensor.from_dense(side) for side in (x, fired)))
            if how == "two calls":
                for start in (0, 5):
                    piece = slice(start, 5 if start == 0 else 12)
                    learns.record(x[piece], fired[piece])
                    learns.step(lr=0.05)
            else:
                learns.step(lr=0.05)
        results.append(net[0].weight.detach().clone())
    start = network(case, dtype)[0][0].weight
    assert error(results[0], start) > 1e-3
    assert all(same_bits(results[0], other) for other in results[1:])


@pytest.mark.parametrize("case", ["conv1d", "conv2d"])
def test_a_convolution_is_a_sum_over_its_places(case):
    net, x = network(case, torch.float64)
    fired = run(net, x)
    conv = net[0]
    rule = plasticity.STDP(10.0, 20.0, bound="none").attach(conv)
    rule.record(x, fired)
    rule.step(on_grad=True)
    total, trace_x, trace_y = 0.0, 0.0, 0.0
    gradient = {"conv1d": torch.nn.grad.conv1d_weight, "conv2d": torch.nn.grad.conv2d_weight}[case]
    options = dict(stride=conv.stride, padding=conv.padding, dilation=conv.dilation)
    for s, spike in zip(x, fired, strict=True):
        trace_x, trace_y = trace_x * math.exp(-0.1), trace_y * math.exp(-0.05)
        before_x = trace_x + torch.zeros_like(s)
        before_y = trace_y + torch.zeros_like(spike)
        total = total + gradient(before_x, conv.weight.shape, spike, **options)
        total = total - gradient(s, conv.weight.shape, before_y, **options)
        trace_x, trace_y = before_x + s, before_y + spike
    assert error(-conv.weight.grad, total) < 1e-10


def test_an_optimiser_takes_the_step_and_clip_the_bounds():
    net, x = network()
    rule = plasticity.STDP(w_max=0.8).attach(*net)
    before = net[0].weight.detach().clone()
    run(net, x)
    rule.step(on_grad=True)
    gradient = net[0].weight.grad.clone()
    torch.optim.SGD(net[0].parameters(), lr=0.5).step()
    torch.testing.assert_close(net[0].weight.detach(), before - 0.5 * gradient)
    assert net[0].weight.min() < 0 or net[0].weight.max() > 0.8
    rule.clip()
    assert same_bits(net[0].weight, (before - 0.5 * gradient).clamp(0, 0.8))
    run(net, x)
    rule.step(on_grad=True)
    assert (
        not torch.equal(net[0].weight.grad, gradient) and not rule.synapse.weight.grad.requires_grad
    )


@pytest.mark.parametrize("rule", RULES)
def test_states_are_restored_to_the_bit(rule):
    net, x = network()
    fired = run(net, x)
    first = RULES[rule]().attach(net[0])
    first.record(x[:5], fired[:5])
    first.step(lr=0.01)
    weight, state = net[0].weight.detach().clone(), first.state_dict()
    assert any(trace.any() for trace in state.values())
    first.record(x[5:], fired[5:])
    first.step(lr=0.01)
    found = net[0].weight.detach().clone()
    with torch.no_grad():
        net[0].weight.copy_(weight)
    second = RULES[rule]().attach(net[0])
    second.load_state_dict(state)
    second.record(x[5:], fired[5:])
    second.step(lr=0.01)
    assert same_bits(net[0].weight, found)
    with torch.no_grad():
        net[0].weight.copy_(weight)
    third = RULES[rule]().attach(net[0])
    third.record(x[5:], fired[5:])
    third.step(lr=0.01)
    assert not torch.equal(net[0].weight, found)


def test_membranes_may_come_with_spikes():
    fc, lif = nn.Linear(70, 6), snn.Leaky(beta=0.5)
    rule = plasticity.STDP(w_max=2.0).attach(fc, lif)
    mem = lif.reset_mem()
    with torch.no_grad():
        for step in network()[1]:
            _, mem = lif(fc(step) + 1, mem)
    rule.step(lr=0.1)
    assert fc.weight.min() >= 0 and fc.weight.std() > 0


def test_records_can_stop_and_go_on():
    net, x = network()
    rule = plasticity.STDP().attach(*net)
    rule.disable()
    run(net, x)
    before = net[0].weight.detach().clone()
    rule.step()
    assert same_bits(net[0].weight, before)
    rule.enable()
    run(net, x)
    rule.step()
    assert not torch.equal(net[0].weight, before)
    rule.detach()
    run(net, x)
    with pytest.raises(RuntimeError, match=r"STDP has no synapse: call attach\(synapse, neuron\)"):
        rule.step()


@pytest.mark.parametrize(
    "options, complaint",
    [
        ({"tau_pre": 0.0}, "STDP: tau_pre must be a positive number of steps, not 0"),
        ({"bound": "firm"}, "bound must be one of 'none', 'hard'"),
        ({"bound": "none", "w_max": 1.0}, "STDP: bound='none' has no w_min and no w_max; take"),
        ({"w_min": 2.0}, "STDP: w_min=2.0 must be below w_max=1.0"),
        ({"bound": "soft", "w_max": math.inf}, "'soft' needs a finite w_min and w_max"),
        ({"bound": "morrison", "w_min": -1.0}, "weights that are not negative: w_min=0"),
        ({"bound": "power", "mu": -1.0}, "mu=-1.0 must not be negative"),
        ({"window": "round"}, "window must be one of"),
        ({"pairing": "some"}, "pairing must be one of"),
        ({"coincident": "all"}, "coincident must be one of"),
    ],
)
def test_numbers_that_make_no_rule(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        plasticity.STDP(**options)


def test_what_it_is_attached_to():
    rule = plasticity.STDP()
    with pytest.raises(TypeError, match=r"STDP: synapse must be nn.Linear, nn.Conv1d or nn.Conv2d"):
        rule.attach(nn.Conv3d(1, 1, 1))
    with pytest.raises(TypeError, match="groups=2 is several synapses; attach a rule to one"):
        rule.attach(nn.Conv1d(2, 2, 1, groups=2))
    with pytest.raises(TypeError, match="STDP: neuron must be a module that returns spikes"):
        rule.attach(nn.Linear(1, 1), torch.relu)
    net, x = network()
    rule.attach(*net)
    with pytest.raises(RuntimeError, match=r"STDP is attached already: call detach\(\) first"):
        rule.attach(*net)
    with pytest.raises(RuntimeError, match=r"STDP records its neuron already: attach\(synapse\)"):
        rule.record(x, x)


def test_records_that_do_not_fit():
    net, x = network()
    rule = plasticity.STDP().attach(net[0])
    rule.record(x, x)
    with pytest.raises(
        ValueError, match=r"in_spike must be \[B, 70\] .* \[B, 6\] .* \[3, 70\] and"
    ):
        rule.step()
    rule.reset(batch=2)
    rule.record(x, x[..., :6])
    with pytest.raises(ValueError, match=r"reset for 2 samples, and recorded 3: call reset"):
        rule.step()
    rule.reset()
    rule.record(x, x[..., :6])
    rule.step()
    rule.record(x[:, :1], x[:, :1, :6])
    before = net[0].weight.detach().clone()
    with pytest.raises(ValueError, match=r"belong to \[3, 70\], and now there are \[1, 70\]"):
        rule.step()
    assert same_bits(net[0].weight, before)
    with pytest.raises(ValueError, match="with on_grad=True the optimiser has the learning rate"):
        rule.step(lr=0.1, on_grad=True)
    conv = plasticity.STDP().attach(nn.Conv1d(1, 1, 3))
    conv.record(torch.zeros(2, 1, 1, 9), torch.zeros(2, 1, 1, 3))
    with pytest.raises(ValueError, match="has 7 places, and its neuron returned 3"):
        conv.step()
