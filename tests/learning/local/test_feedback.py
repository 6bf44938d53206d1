"""Errors through fixed matrices: what equals backpropagation, what not, what is refused."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn
from bitspike.learning import local
from helpers.compare import error
from helpers.living import (
    CASES,
    CLASSES,
    INPUTS,
    B,
    angle,
    assert_alive,
    dense_network,
    gradients,
    spikes,
)

Y = torch.arange(B) % CLASSES


def cost(output):
    return F.cross_entropy(output.mean(0), Y)


def learn(model, x, run=None, **options):
    """The gradients of one sequence."""
    net = getattr(model, "net", model)
    snn.utils.reset(net)
    cost((run or nn.Module.__call__)(model, x, **options)).backward()
    return gradients(net)


@pytest.mark.parametrize("case", CASES)
def test_feedback_alignment_with_the_weights_is_backpropagation(case):
    make, dtype, packed, shape, run = CASES[case]
    net, x = make(dtype=dtype), spikes(dtype, packed, shape)
    assert_alive(net, x, run)
    wanted = learn(net, x, run)
    model = local.feedback(net, "fa", x, run=run)
    assert max(error(g, wanted[name]) for name, g in learn(model, x).items()) > 1e-3
    for name, matrix in model.matrices.items():
        matrix.copy_(net.get_submodule(name).weight)
    got = learn(model, x)
    assert set(got) == set(wanted)
    tolerance = 1e-10 if dtype is torch.float64 else 1e-5
    assert all(error(got[name], wanted[name]) < tolerance for name in wanted)


def test_single_steps_learn_as_the_sequence_does():
    x = spikes(torch.float64)
    net = dense_network(dtype=torch.float64)
    steps = dense_network(multi_step=False, dtype=torch.float64)
    steps.load_state_dict(net.state_dict())
    for rule in ("fa", "sign", "dfa", "drtp"):
        target = {"target": Y} if rule == "drtp" else {}
        wanted = learn(local.feedback(net, rule, x), x, **target)
        model = local.feedback(steps, rule, x[0])
        snn.utils.reset(steps)
        cost(torch.stack([model(step, **target) for step in x])).backward()
        got = gradients(steps)
        # The projection of a target is a mean over the steps that a call has.
        scale = {"0": len(x), "2": len(x)} if rule == "drtp" else {}
        for name in wanted:
            assert error(got[name] / scale.get(name[0], 1), wanted[name]) < 1e-10, (rule, name)


def test_direct_feedback_with_one_hidden_layer_is_feedback_alignment():
    x = spikes(torch.float64)
    for hidden, same in ((1, True), (2, False)):
        net = dense_network(hidden, dtype=torch.float64)
        assert_alive(net, x)
        fa, dfa = (local.feedback(net, rule, x) for rule in ("fa", "dfa"))
        last = str(2 * hidden)
        assert dfa.matrices[last].shape == fa.matrices[last].shape
        fa.matrices[last].copy_(dfa.matrices[last])
        first, second = learn(fa, x), learn(dfa, x)
        assert (error(first["0.weight"], second["0.weight"]) < 1e-10) is same


def test_direct_feedback_leaves_the_weights_in_between_out():
    x = spikes(torch.float64)
    net = dense_network(dtype=torch.float64)
    model = local.feedback(net, "dfa", x)
    membranes = snn.LI(0.8, init_hidden=True, multi_step=True)
    hidden = net[:2](x).detach()
    error_of_output = torch.zeros(8, B, CLASSES, dtype=torch.float64)
    current = net[4](net[2:4](hidden)).detach().requires_grad_()
    cost(membranes.double()(current)).backward()
    error_of_output = current.grad
    snn.utils.reset(net)
    by_hand = net[:2](x)
    by_hand.backward(error_of_output @ model.matrices["2"])
    wanted = gradients(net)["0.weight"]
    assert error(learn(model, x)["0.weight"], wanted) < 1e-10


@pytest.mark.parametrize("magnitude", ["random", "same"])
def test_sign_concordant_feedback_has_the_signs_of_the_weights(magnitude):
    x = spikes(torch.float64)
    net = dense_network(1, dtype=torch.float64)
    model = local.feedback(net, "sign", x, magnitude=magnitude)
    drawn = model.matrices["2"]
    assert bool(drawn.abs().std() < 1e-12) is (magnitude == "same")
    same = local.feedback(net, "fa", x)
    same.matrices["2"].copy_(drawn.abs() * net[2].weight.detach().sign())
    first, second = learn(model, x), learn(same, x)
    assert error(first["0.weight"], second["0.weight"]) < 1e-12
    same.matrices["2"].copy_(drawn)
    assert error(learn(same, x)["0.weight"], first["0.weight"]) > 1e-3


def test_the_projection_of_targets_does_not_see_the_output():
    x = spikes(torch.float64)
    net = dense_network(dtype=torch.float64)
    model, direct = (local.feedback(net, rule, x) for rule in ("drtp", "dfa"))
    before, reference = learn(model, x, target=Y), learn(direct, x)
    with torch.no_grad():
        net[4].weight.mul_(-2)
    after = learn(model, x, target=Y)
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
        assert before[name].abs().max() > 0
        assert torch.equal(before[name], after[name])
    assert error(after["4.weight"], before["4.weight"]) > 1e-3
    assert error(learn(direct, x)["0.weight"], reference["0.weight"]) > 1e-3
    assert error(learn(model, x, target=(Y + 1) % CLASSES)["0.weight"], before["0.weight"]) > 1e-3


def test_a_target_is_classes_or_what_they_stand_for():
    x = spikes(torch.float64)
    model = local.feedback(dense_network(dtype=torch.float64), "drtp", x)
    wanted = learn(model, x, target=Y)["0.weight"]
    marks = F.one_hot(Y, CLASSES).double()
    for target in (marks, marks.expand(8, -1, -1)):
        assert torch.equal(learn(model, x, target=target)["0.weight"], wanted)
    # With ``-B y*`` at every step and sample, by hand.
    snn.utils.reset(model.net)
    hidden = model.net[:2](x)
    signal = -(marks @ model.matrices["2"]) / (8 * B)
    hidden.backward(signal.expand(8, -1, -1))
    assert error(gradients(model.net)["0.weight"], wanted) < 1e-10


@pytest.mark.parametrize("rule", ["fa", "sign", "dfa", "drtp"])
def test_the_weights_come_into_line_with_the_feedback(rule):
    """After 200 steps gradients point less than 90 degrees away from those of backpropagation."""
    x = spikes(packed=True)
    net = dense_network()
    model = local.feedback(net, rule, x)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    target = {"target": Y} if rule == "drtp" else {}

    def apart():
        pair = learn(model, x, **target), learn(net, x)
        return angle(*({name: g for name, g in one.items() if name[0] in "02"} for one in pair))

    first, at_first = cost(net(x)).item(), apart()
    for _ in range(200):
        snn.utils.reset(net)
        optimizer.zero_grad()
        cost(model(x, **target)).backward()
        optimizer.step()
    assert cost(net(x)).item() < first
    optimizer.zero_grad()
    assert 0 < apart() < min(at_first, 85)


def test_matrices_are_drawn_from_the_seed_and_saved():
    x = spikes()
    net = dense_network()
    for rule in ("fa", "dfa"):
        first, again, other = (local.feedback(net, rule, x, seed=seed) for seed in (3, 3, 4))
        assert all(torch.equal(first.matrices[name], again.matrices[name]) for name in ("2", "4"))
        assert not torch.equal(first.matrices["4"], other.matrices["4"])
        other.load_state_dict(first.state_dict())
        assert torch.equal(first.matrices["4"], other.matrices["4"])
        half = local.feedback(net, rule, x, seed=3, scale=0.5)
        assert torch.equal(half.matrices["2"], first.matrices["2"] / 2)
        assert not [name for name, _ in first.named_parameters() if "feedback" in name]
    assert torch.equal(copy.deepcopy(first).matrices["2"], first.matrices["2"])


def test_the_network_itself_stays_as_it_is():
    x = spikes()
    net = dense_network()
    wanted = learn(net, x)
    state = net.state_dict()
    model = local.feedback(net, "dfa", x)
    learn(model, x)
    with pytest.raises(RuntimeError):
        model(x[..., :3])
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    got = learn(net, x)
    assert all(torch.equal(got[name], wanted[name]) for name in wanted)
    assert list(net.state_dict()) == list(state)


def test_errors_inside_of_recurrent_layers_go_through_their_own_weights():
    recurrent = snn.RLeaky(0.8, linear_features=10, init_hidden=True, multi_step=True)
    net = nn.Sequential(
        nn.Linear(INPUTS, 10),
        recurrent,
        nn.Linear(10, CLASSES),
        snn.LI(0.8, **{"init_hidden": True, "multi_step": True}),
    )
    x = spikes(packed=True)
    model = local.feedback(net, "fa", x)
    assert list(model.matrices) == ["2"]
    model.matrices["2"].copy_(net[2].weight)
    got, wanted = learn(model, x), learn(net, x)
    assert "1.recurrent.weight" in wanted
    assert all(error(got[name], wanted[name]) < 1e-5 for name in wanted)


# Wrong uses


def test_a_projection_without_target_says_so():
    x = spikes()
    model = local.feedback(dense_network(), "drtp", x)
    with pytest.raises(ValueError, match=r"'drtp' projects targets: call it with target="):
        model(x)
    for wrong in (Y[:4], torch.rand(B, 3), Y + 1, torch.rand(())):
        with pytest.raises(ValueError, match="target must"):
            cost(model(x, target=wrong)).backward()


def test_a_target_without_use_is_refused():
    x = spikes()
    with pytest.raises(ValueError, match="'dfa' has no use for target"):
        local.feedback(dense_network(), "dfa", x)(x, target=Y)


def test_what_has_no_hidden_layer_is_refused():
    with pytest.raises(ValueError, match=r"Feedback needs a network with a hidden layer.* 1 layer"):
        local.feedback(nn.Sequential(nn.Linear(INPUTS, 4), snn.Leaky(0.9)), "fa", spikes())
    with pytest.raises(TypeError, match="net must be a module, not int"):
        local.feedback(3, "fa", spikes())
    with pytest.raises(ValueError, match="rule must be one of 'fa', 'sign', 'dfa', 'drtp'"):
        local.feedback(dense_network(), "bptt", spikes())
    with pytest.raises(ValueError, match="magnitude must be one of"):
        local.feedback(dense_network(), "sign", spikes(), magnitude="large")


def test_another_order_of_calls_is_refused():
    class Either(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(INPUTS, INPUTS), nn.Linear(INPUTS, INPUTS)
            self.turned = False

        def forward(self, x):
            layers = [self.first, self.second]
            for layer in reversed(layers) if self.turned else layers:
                x = layer(x)
            return x

    net, x = Either(), spikes()
    model = local.feedback(net, "dfa", x)
    net.turned = True
    with pytest.raises(ValueError, match=r"'dfa' needs its layers .* first, second, but second"):
        model(x)
