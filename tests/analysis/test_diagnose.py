"""What `diagnose` measures, and what it advises."""

import math

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import functional as SF
from bitspike import spikegen, surrogate
from bitspike.neurons.base.constants import note_unit_spikes

T, B, K, N = 12, 5, 20, 30


def lif(**kwargs):
    return snn.Leaky(**{"beta": 0.9, "init_hidden": True, **kwargs})


def network(first=None, second=None, **kwargs):
    return nn.Sequential(
        nn.Linear(K, N), lif(**kwargs, **(first or {})), nn.Linear(N, 6), lif(**(second or {}))
    )


def spikes(density=0.4, features=K):
    return spikegen.rate(torch.full((B, features), density), T, packed=True)


def advice(net, x, **kwargs):
    return "\n".join(snn.diagnose(net, x, **kwargs).suggestions)


def healthy():
    """A network whose neurons all fire now and then."""
    net = network(spike_grad=surrogate.atan())
    for layer, weight in ((net[0], 0.06), (net[2], 0.2)):
        nn.init.constant_(layer.weight, weight)
        nn.init.zeros_(layer.bias)
    return net


# Numbers


@pytest.mark.parametrize("packed", [True, False], ids=["packed", "dense"])
def test_rates_are_those_of_the_spikes(packed):
    net, x = network(), spikes()
    first = snn.unroll(net[:2], x).dense()
    snn.utils.reset(net)
    second = snn.unroll(net, x).dense()
    report = snn.diagnose(net, x if packed else x.dense())
    assert (report.steps, report.samples) == (T, B)
    for row, train, name in zip(report, (first, second), ("1", "3"), strict=True):
        assert (row.name, row.kind, row.neurons) == (name, "Leaky", train.shape[2])
        assert row.firing_rate == pytest.approx(train.mean().item())
        assert row.dead == pytest.approx((train.sum((0, 1)) == 0).float().mean().item())
        assert row.saturated == (train.mean((0, 1)) >= 0.9).float().mean().item()
        assert row.first_step == pytest.approx((train[0].sum() / train.sum()).item())


def test_gradients_are_those_of_backward():
    net, x, y = network(), spikes(), torch.arange(B)
    report = snn.diagnose(net, x, loss=lambda out: SF.ce_count_loss()(out, y))
    current = net[0](x).detach().requires_grad_()
    out = net[1].run_sequence(current)
    out.retain_grad()
    loss = SF.ce_count_loss()(snn.unroll(net[2:], out), y)
    loss.backward()
    whole = network()
    whole.load_state_dict(net.state_dict())
    SF.ce_count_loss()(snn.unroll(whole, x), y).backward()
    first, second = report
    assert first.gradient_norm == pytest.approx(whole[0].weight.grad.norm().item(), rel=1e-5)
    assert second.gradient_norm == pytest.approx(whole[2].weight.grad.norm().item(), rel=1e-5)
    torch.testing.assert_close(first.step_gradients, current.grad.flatten(1).norm(dim=1))
    passed = (current.grad.abs().sum() / out.grad.abs().sum()).item()
    assert first.passed == pytest.approx(passed, rel=1e-5)


def test_the_default_loss_is_the_sum_of_outputs_per_sample():
    net, x = network(second={"output": True}), spikes()
    snn.unroll(net, x)[0].sum().backward()
    report = snn.diagnose(net, x)
    wanted = [net[i].weight.grad.norm().item() / B for i in (0, 2)]
    assert [row.gradient_norm for row in report] == pytest.approx(wanted, rel=1e-5)


def test_a_recurrent_layer_counts_its_own_weights():
    net = nn.Sequential(
        nn.Linear(K, N, bias=False), snn.RLeaky(beta=0.9, linear_features=N, init_hidden=True)
    )
    x = spikes()
    (row,) = snn.diagnose(net, x)
    snn.unroll(net, x).sum().backward()
    weights = (net[0].weight.grad, net[1].recurrent.weight.grad)
    norm = torch.stack([w.norm() for w in weights]).norm().item() / B
    assert row.gradient_norm == pytest.approx(norm, rel=1e-5)


class Loop(nn.Module):
    """The time loop of a snnTorch tutorial."""

    def __init__(self, net):
        super().__init__()
        self.fc1, self.lif1, self.fc2, self.lif2 = net
        self.lif1.init_hidden = self.lif2.init_hidden = False

    def forward(self, x):
        mem1 = mem2 = None
        trains = []
        for step in x:
            first, mem1 = self.lif1(self.fc1(step), mem1)
            second, mem2 = self.lif2(self.fc2(first), mem2)
            trains.append(second)
        return torch.stack(trains), mem2


def numbers(report):
    return [
        value
        for row in report
        for value in (
            row.neurons, row.firing_rate, row.dead, row.saturated, row.first_step, row.passed,
            row.gradient_norm, *row.step_gradients.tolist(),
        )
    ]  # fmt: skip


def test_loops_over_steps_give_the_same_numbers():
    net, x = healthy(), spikes()
    whole = snn.diagnose(net, x)
    stepwise = snn.diagnose(net, x, run=lambda net, x: torch.stack([net(step) for step in x]))
    assert numbers(stepwise) == pytest.approx(numbers(whole), rel=1e-4)
    loop = snn.diagnose(Loop(net), x.dense())
    assert [row.name for row in loop] == ["lif1", "lif2"]
    assert numbers(loop) == pytest.approx(numbers(whole), rel=1e-4)


def test_networks_of_sequences_are_called():
    inputs = []

    class Called(nn.Sequential):
        def forward(self, x):
            inputs.append(x)
            return super().forward(x)

    net, x = healthy(), spikes()
    wanted = numbers(snn.diagnose(net, x))
    for neuron in (net[1], net[3]):
        neuron.multi_step = True
    assert numbers(snn.diagnose(Called(*net), x)) == pytest.approx(wanted)
    assert inputs == [x]


def test_readouts_have_gradients_but_no_rates():
    net = nn.Sequential(nn.Linear(K, N), lif(), nn.Linear(N, 6), snn.LI(0.9, init_hidden=True))
    _, row = snn.diagnose(net, spikes())
    assert (row.kind, row.neurons, row.firing_rate, row.passed) == ("LI", 6, None, None)
    assert row.gradient_norm > 0 and row.step_gradients.shape == (T,)
    _, row = snn.diagnose(net[:3], spikes())
    assert (row.kind, row.neurons, row.firing_rate, row.surrogate) == ("Linear", 6, None, None)
    assert row.gradient_norm > 0 and row.step_gradients is None


@pytest.mark.parametrize(
    "neuron",
    [
        lambda: snn.LinearLeaky(0.9, K, N),
        lambda: snn.LeakyParallel(K, N, beta=0.9),
        lambda: snn.AssociativeLeaky(K, 5, 6, use_q_projection=False),
        lambda: snn.SLSTM(K, N, init_hidden=True),
    ],
    ids=["LinearLeaky", "LeakyParallel", "AssociativeLeaky", "SLSTM"],
)
def test_neurons_with_weights_of_their_own(neuron):
    (row,) = snn.diagnose(neuron(), spikes())
    assert row.neurons == N and row.firing_rate is not None and row.gradient_norm > 0


def test_graded_and_signed_spikes_count_once():
    net = healthy()
    plain = snn.diagnose(net, spikes(density=1.0)).layers[0]
    net[1].graded_spikes_factor.fill_(2.5)
    note_unit_spikes(net[1])
    assert snn.diagnose(net, spikes(density=1.0)).layers[0].firing_rate == plain.firing_rate


def test_packed_spikes_are_counted_as_bits():
    net, x = network(second={"output": False}), spikes()
    before = snn.unpacked_operations()
    snn.unroll(net, x).sum().backward()
    run = snn.unpacked_operations()
    snn.diagnose(net, x)
    after = snn.unpacked_operations()
    for name, count in after.items():
        assert count - run.get(name, 0) == run.get(name, 0) - before.get(name, 0), name


# Words


def test_a_healthy_network_needs_no_change():
    assert advice(healthy(), spikes()).endswith("nothing to change")


def test_dead_layers():
    net = healthy()
    net[1].threshold.fill_(500.0)
    words = snn.diagnose(net, spikes()).suggestions
    assert words[0].startswith("layer 1 (Leaky): 100 % of its neurons never fire: lower the thre")
    assert "the gradient of its weights is " in words[0]
    assert words[1].startswith("layer 3 (Leaky): it is silent because layer 1 (Leaky) in front")


def test_partly_dead_layers():
    net = healthy()
    nn.init.constant_(net[0].weight[: N * 6 // 10], -1.0)
    assert "layer 1 (Leaky): 60.0 % of its neurons never fire" in advice(net, spikes())


def test_silent_input():
    assert "the input holds no value but 0" in advice(healthy(), torch.zeros(T, B, K))


def test_saturated_layers():
    net = healthy()
    net[1].threshold.fill_(-1.0)
    assert "layer 1 (Leaky): 100 % of its neurons fire at nearly every step" in advice(
        net, spikes()
    )


def test_spikes_at_the_first_step_alone():
    net = healthy()
    x = torch.zeros(T, B, K)
    x[0] = 1
    assert "layer 1 (Leaky): 100 % of its spikes come at the first step" in advice(net, x)


def test_no_gradient_through_disabled_surrogates():
    net = healthy()
    net[3].spike_grad = surrogate.Disabled()
    words = advice(net, spikes())
    assert "layer 3 (Leaky): its spikes pass no gradient, because surrogate_disable is set" in words
    assert len(words.splitlines()) == 1


def test_no_gradient_through_narrow_surrogates():
    net = healthy()
    net[1].spike_grad = surrogate.boxcar(1e-12)
    assert "layer 1 (Leaky): its surrogate Boxcar(width=1e-12) is 0 at all" in advice(net, spikes())
    net[1].spike_grad = surrogate.superspike(1e6)
    assert "layer 1 (Leaky): its surrogate SuperSpike(alpha=1000000.0) passes" in advice(
        net, spikes()
    )


def test_vanishing_and_exploding_gradients():
    net = healthy()
    net[1].spike_grad = surrogate.custom_surrogate(lambda x, grad, spikes: grad * 1e-7)
    assert "the gradient vanishes, from " in advice(net, spikes())
    net[1].spike_grad = surrogate.custom_surrogate(lambda x, grad, spikes: grad * 1e7)
    assert "the gradient explodes, from " in advice(net, spikes())
    net[1].spike_grad = surrogate.custom_surrogate(lambda x, grad, spikes: grad * math.nan)
    assert "layer 1 (Leaky): the gradient of its weights is nan" in advice(net, spikes())


def test_detached_spikes():
    class Detach(nn.Module):
        def forward(self, x):
            return x.detach()

    net = nn.Sequential(*healthy())
    net.insert(2, Detach())
    words = advice(net, spikes())
    assert "layer 1 (Leaky): no gradient comes back from layer 4 (Leaky)" in words
    assert "the loss carries no gradient" in advice(
        net, spikes(), loss=lambda out: out.detach().sum()
    )
    assert "no gradient comes from the loss" in advice(
        healthy(), spikes(), loss=lambda out: (0 * out).sum()
    )
    assert "no parameter of the network requires" in advice(
        healthy().requires_grad_(False), spikes()
    )


def test_the_table_is_aligned():
    lines = str(snn.diagnose(healthy(), spikes())).splitlines()
    assert lines[0] == f"{T} steps, {B} samples"
    assert lines[1].split("  ")[0] == "layer" and len({len(line) for line in lines[1:4]}) == 1
    assert lines[4].startswith("* ")
