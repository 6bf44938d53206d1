"""Layers that run as one operation, against the same layers one by one."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import bitspike as snn
from helpers.compare import error
from helpers.stacks import NETWORKS, apart, check, lif, lively, outcome, spikes

pytestmark = [pytest.mark.isa, pytest.mark.usefixtures("small_blocks")]


CONVOLUTIONAL = {
    "pools": lambda: nn.Sequential(
        nn.Conv2d(2, 12, 5),
        lif(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 33, 3, padding=1),
        lif(),
        nn.MaxPool2d(3, 1),
        nn.Flatten(),
        nn.Linear(33 * 9, 10),
        lif(),
    ),
    "maps at the end": lambda: nn.Sequential(
        nn.Conv2d(2, 6, (3, 2), stride=2, groups=2), lif(), nn.MaxPool2d((2, 1))
    ),
    "a pool first": lambda: nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(2, 4, 3), lif()),
    "constants of channels": lambda: nn.Sequential(
        nn.Conv2d(2, 5, 3), lif(beta=torch.linspace(0.5, 0.9, 5).view(5, 1, 1), learn_beta=True)
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_layers_one_by_one_give_the_same(name, gathers):
    check(lively(NETWORKS[name]()), spikes(9, 23, 70))


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_convolutions_one_by_one_give_the_same(name, gathers):
    check(lively(CONVOLUTIONAL[name]()), spikes(5, 13, 2, 14, 14))


def test_one_dimension(gathers):
    net = lively(nn.Sequential(nn.Conv1d(3, 8, 5, padding=2), lif(), nn.Conv1d(8, 4, 3), lif()))
    check(net, spikes(7, 9, 3, 30))


def test_a_slice_of_a_batch(gathers):
    check(lively(NETWORKS["three layers"]()), spikes(9, 46, 70)[:, 23:])


@settings(max_examples=30, deadline=None)
@given(
    st.tuples(st.integers(0, 12), st.integers(0, 40)),
    st.lists(st.integers(1, 140), min_size=2, max_size=4),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_any_shape_and_density(rows, sizes, density):
    layers = [[nn.Linear(a, b), lif()] for a, b in zip(sizes, sizes[1:], strict=False)]
    net = lively(nn.Sequential(*[module for layer in layers for module in layer]))
    x = spikes(*rows, sizes[0], density=density)
    ours, theirs = outcome(snn.fuse(net), net, x), outcome(lambda x: apart(net, x), net, x)
    assert torch.equal(ours[0].words, theirs[0].words)
    for a, b in zip((*ours[1], *ours[2]), (*theirs[1], *theirs[2]), strict=True):
        assert error(a, b) < 1e-5


def test_states_are_kept_from_call_to_call(gathers):
    net = lively(NETWORKS["three layers"]())
    fused, x = snn.fuse(net), spikes(10, 6, 70)
    whole = outcome(fused, net, x)

    def halves(x):
        return torch.cat([fused(x[:4]), fused(x[4:])])

    parts = outcome(halves, net, x)
    assert torch.equal(whole[0].words, parts[0].words)
    for a, b in zip((*whole[1], *whole[2]), (*parts[1], *parts[2]), strict=True):
        assert error(a, b) < 1e-5


def test_inference_uses_it_by_itself():
    net = lively(NETWORKS["three layers"]()).eval()
    x = spikes(10, 6, 70)
    calls = []
    handle = net[2].register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        hooked = snn.unroll(net, x)
    assert calls == [1]
    handle.remove()
    for neuron in net[1::2]:
        neuron.reset_mem()
    with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Linear, "forward", lambda *_: pytest.fail("a layer ran by itself"))
        assert torch.equal(snn.unroll(net, x).words, hooked.words)


def test_a_normalisation_is_folded_in_eval_mode(gathers):
    net = lively(nn.Sequential(nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), lif(), nn.Flatten()))
    net.append(nn.Linear(6 * 64, 20)).append(nn.BatchNorm1d(20, affine=False)).append(lif())
    fused, x = snn.fuse(net), spikes(6, 8, 2, 10, 10)
    fused(x)
    assert set(fused.apart) >= {"0", "1", "2"}
    for norm in (net[1], net[5]):
        norm.running_mean.uniform_(-0.1, 0.1)
        norm.running_var.uniform_(0.5, 2)
    fused.eval()
    ours, theirs = outcome(fused, net, x), outcome(lambda x: apart(net, x), net, x)
    assert fused.apart == {}
    assert (ours[0] != theirs[0]).float().mean() < 1e-3
    for a, b in zip(ours[2], theirs[2], strict=True):
        assert error(a, b) < 1e-2


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(bad):
    net = lively(NETWORKS["three layers"]())
    with torch.no_grad():
        net[2].weight[3, 5] = bad
    x = spikes(5, 4, 70)
    ours, theirs = outcome(snn.fuse(net), net, x), outcome(lambda x: apart(net, x), net, x)
    for a, b in zip(ours[1], theirs[1], strict=True):
        assert torch.equal(a.nan_to_num(), b.nan_to_num())


def test_derivatives_of_gradients(gathers):
    net = lively(NETWORKS["three layers"]())
    x = spikes(6, 5, 70)

    def second(run):
        for neuron in net[1::2]:
            neuron._clear_states()
        loss = run(x).sum(0).square().mean()
        first = torch.autograd.grad(loss, list(net.parameters()), create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in first), list(net.parameters()))

    for a, b in zip(second(snn.fuse(net)), second(lambda x: apart(net, x)), strict=True):
        assert error(a, b) < 1e-4


def test_a_gradient_for_spikes_may_run_a_program_again():
    layer, x = nn.Linear(70, 7), spikes(5, 40, 70).requires_grad_()
    out = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False)
    (grad,) = torch.autograd.grad(out.sum(), x)
    torch.testing.assert_close(grad, layer.weight.sum(0).expand(x.shape))


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads_change_no_bit(threads):
    net = lively(nn.Sequential(nn.Linear(300, 200), lif(), nn.Linear(200, 100), lif()))
    x = spikes(40, 64, 300)
    expected = outcome(snn.fuse(net), net, x)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = outcome(snn.fuse(net), net, x)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(found[0].words, expected[0].words)
    for a, b in zip(found[2][1:], expected[2][1:], strict=True):
        assert error(a, b) < 1e-6


def test_compiled_checkpointed_and_copied(gathers):
    net = lively(NETWORKS["three layers"]())
    fused, x = snn.fuse(net), spikes(6, 5, 70)
    expected = outcome(fused, net, x)
    compiled = torch.compile(fused, backend="aot_eager")
    again = lambda x: torch.utils.checkpoint.checkpoint(fused, x, use_reentrant=False)  # noqa: E731
    for run in (compiled, again):
        out, _, grads = outcome(run, net, x)
        assert torch.equal(out.dense(), expected[0].dense())
        for a, b in zip(grads, expected[2], strict=True):
            assert error(a, b) < 1e-5
    twin = copy.deepcopy(fused)
    assert torch.equal(outcome(twin, twin, x)[0].words, expected[0].words)
    net.load_state_dict(fused.state_dict())
    assert list(fused.state_dict()) == list(net.state_dict())


def test_what_is_no_sequential_is_refused():
    with pytest.raises(TypeError, match=r"net must be an nn\.Sequential, not Linear"):
        snn.fuse(nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r"x must be a sequence \[T, B, \*\], not \(3,\)"):
        snn.fuse(nn.Sequential())(torch.zeros(3))
