"""Pairs and triplets of spikes: golden numbers, loops over pairs, bounds, what rules do."""

import math

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import plasticity
from helpers.compare import error, same_bits

KINDS = ("hard", "soft", "power", "van_rossum", "morrison", "proportional", "none")


def train(times, steps=None):
    """One neuron that fires at these times."""
    x = torch.zeros(steps or 30, 1, 1, dtype=torch.float64)
    x[list(times)] = 1.0
    return x


def change(rule, pre, post, weight=0.0):
    """By how much weights change that stay as they are."""
    fc = nn.Linear(pre.shape[2], post.shape[2]).double()
    nn.init.constant_(fc.weight, weight)
    rule.attach(fc)
    rule.record(pre, post)
    rule.step(on_grad=True)
    return -fc.weight.grad


def raster(steps=40, batch=2, inputs=5, outputs=4):
    pre = (torch.rand(steps, batch, inputs) < 0.3).double()
    post = (torch.rand(steps, batch, outputs) < 0.3).double()
    assert pre.any() and post.any() and not pre.all() and not post.all()
    return pre, post


GOLDEN = {
    "pre first": ({}, [0], [3], 0.740818),
    "post first": ({}, [2], [0], -0.904837),
    "all": ({}, [0, 4], [5], 1.511368),
    "nearest": ({"pairing": "nearest"}, [0, 4], [5], 0.904837),
    "linear decay": ({"legacy": True}, [0], [3], 0.729),
    "symmetric": ({"window": "symmetric"}, [2], [0], 0.904837),
    "anti": ({"window": "anti"}, [0], [3], -0.740818),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_pairs(case):
    options, pre, post, wanted = GOLDEN[case]
    rule = plasticity.STDP(10.0, 20.0, bound="none", **options)
    assert change(rule, train(pre), train(post)).item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(
    "pre, post, wanted",
    [([0], [5], 0.0), ([0], [5, 15], 2.438116e-3), ([0, 20], [5, 15], 2.438116e-3 - 1.067039e-2)],
)
def test_golden_triplets(pre, post, wanted):
    found = change(plasticity.TripletSTDP(bound="none"), train(pre), train(post))
    assert found.item() == pytest.approx(wanted, abs=1e-8)


def by_pairs(pre, post, counts, taus=(10.0, 20.0), amplitudes=(1.0, 0.7)):
    """Every pair of spikes; ``counts`` says what a pair of the same step is."""
    total = torch.zeros(post.shape[2], pre.shape[2], dtype=torch.float64)
    for t_pre, b, j in pre.nonzero().tolist():
        for t_post, b_post, i in post.nonzero().tolist():
            apart = t_post - t_pre
            if b != b_post:
                continue
            if apart > 0 or apart == 0 and counts in ("both", "pre_first"):
                total[i, j] += amplitudes[0] * math.exp(-apart / taus[0])
            if apart < 0 or apart == 0 and counts in ("both", "post_first"):
                total[i, j] -= amplitudes[1] * math.exp(apart / taus[1])
    return total


@pytest.mark.parametrize("coincident", ["none", "both", "pre_first", "post_first"])
def test_it_is_the_sum_over_all_pairs(coincident):
    pre, post = raster()
    rule = plasticity.STDP(10.0, 20.0, A_minus=0.7, bound="none", coincident=coincident)
    found = change(rule, pre, post)
    assert error(found, by_pairs(pre, post, coincident)) < 1e-10
    other = "none" if coincident == "both" else "both"
    assert error(found, by_pairs(pre, post, other)) > 1e-3
    assert error(found, by_pairs(pre, post, coincident, taus=(10.0, 21.0))) > 1e-3


def test_a_triplet_rule_without_triplets_is_a_pair_rule():
    pre, post = raster()
    amplitudes = dict(A2_plus=1.0, A2_minus=0.7, A3_plus=0.0)
    rule = plasticity.TripletSTDP(10.0, 20.0, bound="none", **amplitudes)
    found = change(rule, pre, post)
    assert error(found, by_pairs(pre, post, "none")) < 1e-10
    third = plasticity.TripletSTDP(10.0, 20.0, bound="none", **(amplitudes | {"A3_plus": 0.1}))
    assert error(change(third, pre, post), found) > 1e-3


def test_triplets_potentiate_at_high_rates_alone():
    """Pairs with the input 10 ms first, 60 of them: at 0.1 Hz and at 50 Hz."""
    found = {}
    for period in (10_000, 20):
        starts = range(0, 60 * period, period)
        steps = 60 * period + 20
        pre, post = train(starts, steps), train((t + 10 for t in starts), steps)
        found[period] = change(plasticity.TripletSTDP(bound="none"), pre, post).item()
    assert abs(found[10_000]) < 1e-9 < 0.1 < found[20]


# Bounds


def expected(kind, w, mu=0.2):
    """What a weight rises by with one spike of each trace, and what it falls by."""
    return {
        "hard": (1, 1),
        "none": (1, 1),
        "soft": (1 - w, w),
        "power": ((1 - w) ** mu, w**mu),
        "van_rossum": (1, w),
        "morrison": (w**0.4 * 2**0.6, w),
        "proportional": (w, w),
    }[kind]


@pytest.mark.parametrize("window", ["causal", "anti", "symmetric"])
@pytest.mark.parametrize("kind", KINDS)
def test_how_much_of_the_way(kind, window):
    w, options = 0.3, dict(bound=kind, window=window, w_0=2.0)
    rises, falls = expected(kind, w)
    after = change(plasticity.STDP(10.0, 20.0, **options), train([0]), train([3]), w).item()
    before = change(plasticity.STDP(10.0, 20.0, **options), train([2]), train([0]), w).item()
    first = -falls if window == "anti" else rises
    second = -falls if window == "causal" else rises
    assert after == pytest.approx(first * math.exp(-0.3))
    assert before == pytest.approx(second * math.exp(-0.1))


@pytest.mark.parametrize("window", ["causal", "anti", "symmetric"])
@pytest.mark.parametrize("kind", ["hard", "soft", "power", "van_rossum", "morrison"])
@pytest.mark.parametrize("case", ["linear", "conv1d", "conv2d"])
def test_weights_stay_within_bounds(case, kind, window):
    net, x = network(case)
    high = 0.8 if kind in ("hard", "soft", "power") else math.inf
    rule = plasticity.STDP(bound=kind, window=window, w_max=high).attach(*net)
    for _ in range(2):
        run(net, x)
        rule.step(lr=0.03 if case == "linear" else 0.003)
        assert net[0].weight.isfinite().all()
        assert net[0].weight.min() >= 0 and net[0].weight.max() <= high
    assert net[0].weight.std() > 0


def test_bounds_hold_at_every_step_and_not_at_the_end():
    """Up by 1, and down by exp(-1/20): from the bound, not from above it."""
    fc = nn.Linear(1, 1).double()
    nn.init.constant_(fc.weight, 0.9)
    rule = plasticity.STDP(20.0, 20.0).attach(fc)
    rule.record(train([0, 2]), train([1]))
    rule.step(lr=0.5)
    assert fc.weight.item() == pytest.approx(1 - 0.5 * math.exp(-1 / 20))
    nn.init.constant_(fc.weight, 0.9)
    rule.reset()
    rule.record(train([0, 2]), train([1]))
    rule.step(on_grad=True)
    torch.optim.SGD(fc.parameters(), lr=0.5).step()
    assert fc.weight.item() == pytest.approx(0.9, abs=1e-9)


def test_inhibition_holds_its_neuron_at_the_rate():
    """A neuron driven to fire often is brought down to the rate, and a quiet one is let go."""
    rate, drive = 0.1, torch.tensor([1.6, 0.05])
    fc = nn.Linear(20, 2, bias=False)
    nn.init.constant_(fc.weight, 0.02)
    lif = snn.Leaky(beta=0.8, init_hidden=True, multi_step=True)
    rule = plasticity.InhibitorySTDP(rate, tau=10.0).attach(fc, lif)
    fired = []
    for _ in range(80):
        x = (torch.rand(20, 8, 20) < 0.1).float()
        with torch.no_grad():
            fired.append(lif(drive + 0.5 * torch.randn(20, 8, 2) - fc(x)).mean((0, 1)))
        rule.step(lr=4e-4)
    assert fired[0][0] > 0.25
    assert torch.stack(fired[-40:]).mean(0)[0].item() == pytest.approx(rate, abs=0.015)
    assert fc.weight[1].max() < 0.02  # it fires less than that without any inhibition


# How rules are used


def network(case="linear", dtype=torch.float32):
    torch.manual_seed(3)
    synapse, shape = {
        "linear": (nn.Linear(70, 6), (70,)),
        "conv1d": (nn.Conv1d(2, 4, 3, stride=2, padding=1), (2, 9)),
        "conv2d": (nn.Conv2d(2, 4, (3, 2), padding=1, dilation=2), (2, 7, 6)),
    }[case]
    with torch.no_grad():
        synapse.weight.uniform_(0, 0.8)
    lif = snn.Leaky(beta=0.5, threshold=1.5, init_hidden=True)
    x = (torch.rand(12, 3, *shape) < 0.3).to(dtype)
    return nn.Sequential(synapse, lif).to(dtype), x


def run(net, x):
    with torch.no_grad():
        return torch.stack([net(step) for step in x])


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


@pytest.mark.parametrize("case", ["linear", "conv1d", "conv2d"])
def test_a_convolution_is_a_sum_over_its_places(case):
    if case == "linear":
        return
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


# Errors


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
