"""Running single-step networks over whole sequences, and resetting them."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import SpikeTensor

T, B, K, N = 9, 3, 20, 70


def lif(**kwargs):
    return snn.Leaky(**{"beta": 0.5, "init_hidden": True, **kwargs})


def integral(net):
    """Gives a network small integer weights, with which sums are exact in any order."""
    for p in net.parameters():
        if p.dim():
            p.data = torch.randint(-3, 4, p.shape).float()
    return net


def spikes(*shape):
    return (torch.rand(shape) < 0.3).float()


def loop(net, x):
    return torch.stack([net(step) for step in x])


def plain(x):
    return x.dense() if type(x) is SpikeTensor else x


NETWORKS = {
    "a neuron": lambda: lif(),
    "a layer": lambda: nn.Sequential(nn.Linear(K, N), lif()),
    "two layers": lambda: nn.Sequential(nn.Linear(K, N), lif(), nn.Linear(N, 10), lif()),
    "currents at the end": lambda: nn.Sequential(nn.Linear(K, N), lif(), nn.Linear(N, 10)),
    "no neuron": lambda: nn.Sequential(nn.Linear(K, N), nn.ReLU()),
    "nested": lambda: nn.Sequential(
        nn.Sequential(nn.Linear(K, N), lif()),
        nn.Sequential(nn.Sequential(nn.Linear(N, 10)), nn.Identity(), lif()),
    ),
    "neurons in a row": lambda: nn.Sequential(nn.Linear(K, N), lif(), lif(threshold=0.5)),
    "empty": lambda: nn.Sequential(),
    "images": lambda: nn.Sequential(
        nn.Unflatten(1, (1, 4, 5)),
        nn.Conv2d(1, 6, 3),
        lif(),
        nn.MaxPool2d(2, 1),
        nn.Flatten(),
        nn.Linear(12, 5),
        lif(),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("packed", [False, True], ids=["dense", "packed"])
def test_it_equals_a_loop_over_steps(name, packed):
    net = integral(NETWORKS[name]())
    x = spikes(T, B, K)
    expected = loop(net, x)
    snn.utils.reset(net)
    out = snn.unroll(net, SpikeTensor.from_dense(x) if packed else x)
    assert out.shape == expected.shape and out.dtype == expected.dtype
    assert torch.equal(plain(out), plain(expected))


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("empty", "a neuron")])
def test_its_gradients_are_those_of_a_loop(name):
    net = integral(NETWORKS[name]())
    x = spikes(T, B, K)
    gradients = []
    for run in (lambda: loop(net, x), lambda: snn.unroll(net, x)):
        net.zero_grad()
        snn.utils.reset(net)
        out = run()
        (out * (torch.arange(out.numel()).view(out.shape) % 5 - 2)).sum().backward()
        gradients.append([p.grad for p in net.parameters()])
    for got, wanted in zip(*gradients, strict=True):
        scale = max(wanted.abs().max().item(), 1)
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-5 * scale)


def test_the_state_goes_on():
    net = integral(NETWORKS["two layers"]())
    x = spikes(T, B, K)
    whole = snn.unroll(net, x)
    state = net[1].mem.clone()
    snn.utils.reset(net)
    parts = torch.cat([snn.unroll(net, x[:4]), snn.unroll(net, x[4:])])
    assert torch.equal(parts.dense(), whole.dense())
    assert torch.equal(net[1].mem, state)


class Counting(nn.Module):
    """Passes values on and remembers their shapes."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, x):
        self.seen.append(tuple(x.shape))
        return x


def test_a_constant_input_is_computed_once():
    front, behind = Counting(), Counting()
    net = integral(nn.Sequential(front, nn.Linear(K, N), lif(), behind, nn.Linear(N, 10), lif()))
    x = spikes(B, K).expand(T, B, K)
    expected = loop(net, x)
    snn.utils.reset(net)
    front.seen.clear(), behind.seen.clear()
    out = snn.unroll(net, x)
    assert front.seen == [(B, K)]
    assert behind.seen == [(T * B, N)]
    assert torch.equal(out.dense(), expected)


def test_a_constant_input_through_no_neuron():
    net = nn.Linear(K, N)
    x = spikes(B, K).expand(T, B, K)
    out = snn.unroll(net, x)
    assert out.shape == (T, B, N) and out.stride(0) == 0
    assert torch.equal(out[3], net(x[3]))


def test_one_step_is_a_sequence():
    net = integral(NETWORKS["two layers"]())
    x = spikes(1, B, K)
    expected = loop(net, x)
    snn.utils.reset(net)
    assert torch.equal(snn.unroll(net, x).dense(), expected)


@pytest.mark.parametrize("shape", [(0, B, K), (T, 0, K)], ids=str)
def test_empty_sequences(shape):
    net = NETWORKS["two layers"]()
    assert snn.unroll(net, torch.zeros(shape)).shape == (*shape[:2], 10)


def test_the_last_neuron_may_return_states():
    net = integral(nn.Sequential(nn.Linear(K, N), lif(output=True)))
    x = spikes(T, B, K)
    steps = [net(step) for step in x]
    snn.utils.reset(net)
    out, membrane = snn.unroll(net, x)
    assert torch.equal(out.dense(), torch.stack([s for s, _ in steps]))
    assert torch.equal(membrane, torch.stack([m for _, m in steps]))


@pytest.mark.parametrize("kwargs", [{"output": True}, {"init_hidden": False}])
def test_states_inside_are_refused(kwargs):
    net = nn.Sequential(nn.Linear(K, N), lif(**kwargs), nn.Linear(N, 10))
    with pytest.raises(TypeError, match="module 1, Leaky, returns its states"):
        snn.unroll(net, torch.rand(T, B, K))


def test_modules_that_hold_neurons_are_refused():
    class Block(nn.Module):
        def __init__(self, **options):
            super().__init__()
            self.lif = snn.Leaky(0.9, **options)

        def forward(self, x):
            out = self.lif(x)
            return out if isinstance(out, torch.Tensor) else out[0]

    x = torch.rand(3, 2, 4)
    for steps in (x, x[:1].expand(3, 2, 4)):
        with pytest.raises(TypeError, match="module 1, Block, holds neurons"):
            snn.unroll(nn.Sequential(nn.Linear(4, 4), Block(init_hidden=True)), steps)
    # Every call starts anew without a state: time may be batch.
    assert snn.unroll(Block(), x).shape == x.shape


@pytest.mark.parametrize("shape", [(), (T,)])
def test_sequences_have_time_and_batch(shape):
    with pytest.raises(ValueError, match=r"x must be a sequence \[T, B, \*\]"):
        snn.unroll(NETWORKS["a layer"](), torch.rand(shape))


def test_multi_step_is_restored():
    net = NETWORKS["a layer"]()
    snn.unroll(net, torch.rand(T, B, K))
    assert net[1].multi_step is False
    snn.utils.reset(net)
    assert net(torch.rand(B, K)).shape == (B, N)


def test_networks_with_multi_step_run_as_they_are():
    net = integral(nn.Sequential(nn.Linear(K, N), lif(multi_step=True)))
    x = spikes(T, B, K)
    expected = net(x)
    snn.utils.reset(net)
    assert torch.equal(snn.unroll(net, x).dense(), expected.dense())


# Hooks


def test_hooks_run_once_for_a_sequence():
    net = integral(NETWORKS["two layers"]())
    x, seen = spikes(T, B, K), []
    expected = snn.unroll(net, x)
    snn.utils.reset(net)
    net[1].register_forward_pre_hook(lambda m, args: seen.append((m, args[0].shape)))
    net[1].register_forward_hook(lambda m, args, out: seen.append((m, out.shape)))
    net[3].register_full_backward_hook(lambda m, to_x, to_out: seen.append((m, to_x[0].shape)))
    out = snn.unroll(net, x)
    assert seen == [(net[1], (T, B, N))] * 2 and torch.equal(out.dense(), expected.dense())
    out.sum().backward()
    assert seen[2:] == [(net[3], (T, B, 10))]
    snn.utils.reset(net)
    assert torch.equal(loop(net, x), expected.dense())


def test_hooks_around_what_calls_its_forward():
    # Its run_sequence is another name of its forward.
    norm, seen = snn.BatchNormTT1d(K, T), []
    norm.register_forward_hook(lambda m, args, out: seen.append(out))
    assert torch.equal(snn.unroll(norm, spikes(T, B, K)), seen[0]) and len(seen) == 1


@pytest.mark.parametrize("patched", [False, True])
def test_a_hook_that_raises_leaves_the_module_as_it_was(patched):
    neuron = lif()
    if patched:
        neuron.forward = lambda x: x + 1
    before = dict(vars(neuron))

    def refuse(module, args):
        raise RuntimeError("not now")

    handle = neuron.register_forward_pre_hook(refuse)
    with pytest.raises(RuntimeError, match="not now"):
        snn.unroll(neuron, spikes(T, B, K))
    handle.remove()
    assert vars(neuron) == before
    assert neuron(torch.ones(2)).tolist() == ([2, 2] if patched else [0, 0])


# Reset


def test_reset_zeroes_this_network_and_no_other():
    net, other = NETWORKS["nested"](), NETWORKS["a layer"]()
    for each in (net, other):
        each(torch.ones(B, K) * 5)
    before = other[1].mem.clone()
    assert before.abs().max() > 0
    snn.utils.reset(net)
    for neuron in (net[0][1], net[1][2]):
        assert neuron.mem.shape[0] == B and not neuron.mem.any()
        assert not neuron.mem.requires_grad
    assert torch.equal(other[1].mem, before)


def test_reset_cuts_the_graph():
    net, x = NETWORKS["a layer"](), torch.rand(B, K)
    net(x).sum().backward()
    snn.utils.reset(net)
    net(x).sum().backward()


def test_reset_takes_networks_without_neurons_or_states():
    snn.utils.reset(nn.Linear(2, 2))
    neuron = lif()
    snn.utils.reset(neuron)
    assert neuron(torch.ones(2)).shape == (2,)


def test_reset_is_a_fresh_start():
    net, x = integral(NETWORKS["two layers"]()), spikes(T, B, K)
    first = snn.unroll(net, x)
    second = snn.unroll(net, x)
    assert not torch.equal(first.dense(), second.dense())
    snn.utils.reset(net)
    assert torch.equal(snn.unroll(net, x).dense(), first.dense())
