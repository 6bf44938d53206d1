"""Feature maps whose channels lie last: spikes in that order, and layers of neurons."""

import copy
import io

import pytest
import torch

import bitspike as snn
from bitspike import SpikeTensor
from bitspike.spikes.tensor import of_words
from helpers.compare import dense, same_bits

pytestmark = pytest.mark.isa

T, B, C, H, W = 3, 2, 5, 4, 7


def spikes():
    """Spikes whose channels lie last, and the same numbers as a dense tensor."""
    x = (torch.rand(T, B, C, H, W) < 0.4).float()
    pixels = SpikeTensor.from_dense(x.movedim(2, -1).contiguous())
    return of_words(pixels.words, torch.Size((C, H, W)), channels_last=True), x


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[1],
        lambda x: x[:, 1:],
        lambda x: x[..., 0],
        lambda x: x.flatten(0, 1),
        lambda x: x.flatten(2),
        lambda x: x.flatten(0, 1).unflatten(0, (T, B)),
        lambda x: x.view(T, B, C * H, W) if x.is_contiguous() else x.reshape(T, B, C * H, W),
        lambda x: x.unsqueeze(0),
        lambda x: x.unsqueeze(2),
        lambda x: x.transpose(0, 1),
        lambda x: x.permute(1, 0, 2, 3, 4),
        lambda x: x.permute(0, 1, 3, 4, 2),
        lambda x: x.expand(2, T, B, C, H, W),
        lambda x: x.sum(0),
        lambda x: x.sum(0, keepdim=True),
        lambda x: x.sum((0, 3, 4)),
        lambda x: x.mean((0, 2), keepdim=True),
        lambda x: x.mean(1),
        lambda x: x.sum(),
        lambda x: x.count_nonzero(),
        lambda x: torch.cat([x, x]),
        lambda x: torch.stack([x, x], 1),
        lambda x: x.unbind(1)[1],
        lambda x: x.split(2)[0],
        lambda x: x.index_select(1, torch.tensor([1, 0, 1])),
        lambda x: x[torch.tensor([True, False, True])],
        lambda x: x.contiguous(),
        lambda x: x.clone(),
        lambda x: x.to(torch.bfloat16),
        lambda x: x * 2 + 1,
        lambda x: x @ torch.ones(W, 3),
        lambda x: torch.nn.functional.linear(x.flatten(2), torch.ones(4, C * H * W)),
        lambda x: torch.nn.functional.max_pool2d(x.flatten(0, 1), 2),
        lambda x: torch.nn.functional.max_pool2d(x.flatten(0, 1), 3, 1),
        lambda x: torch.nn.functional.avg_pool2d(x.flatten(0, 1), 2),
        lambda x: copy.deepcopy(x),
    ],
)
def test_operations_equal_those_of_dense_numbers(function):
    bits, x = spikes()
    assert torch.equal(dense(function(bits)), function(x))
    assert torch.equal(dense(function(bits.channels_first())), function(x))


def test_both_orders_can_be_joined():
    bits, x = spikes()
    assert torch.equal(dense(torch.cat([bits, bits.channels_first()])), torch.cat([x, x]))


def test_strides_say_so():
    bits, x = spikes()
    like = x.movedim(2, -1).contiguous().movedim(-1, 2)
    assert bits.stride() == like.stride() and not bits.is_contiguous()
    first = bits.channels_first()
    assert first.is_contiguous() and not first.channels_last
    assert first.channels_first() is first
    assert bits.contiguous().is_contiguous()
    assert bits.dense().stride() == like.stride()


def test_counts_lie_as_the_spikes_do():
    bits, _ = spikes()
    for counts in (bits.sum(0), bits.mean(1), bits.count_nonzero(0)):
        assert counts.movedim(1, -1).is_contiguous() and not counts.is_contiguous()


def test_it_is_saved():
    bits, x = spikes()
    file = io.BytesIO()
    torch.save(bits, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    assert loaded.channels_last and torch.equal(dense(loaded), x)


def test_compiled_code_takes_it():
    bits, x = spikes()
    compiled = torch.compile(lambda x: (x.sum(0), x.flatten(2) + 1), backend="aot_eager")
    for ours, theirs in zip(compiled(bits), (x.sum(0), x.flatten(2) + 1), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("window, stride", [(2, 2), (3, 1), (2, 3)])
def test_the_gradient_of_the_maximum_goes_where_torch_sends_it(window, stride):
    bits, x = spikes()
    results = []
    for maps in (bits.flatten(0, 1), x.flatten(0, 1)):
        maps = maps.detach().requires_grad_()
        pooled = torch.nn.functional.max_pool2d(maps, window, stride)
        grad = torch.arange(pooled.numel(), dtype=torch.float32).view(pooled.shape)
        results.append(torch.autograd.grad(pooled, maps, grad)[0])
    assert torch.equal(*results)


CONSTANTS = {
    "number": lambda: 0.8,
    "channels": lambda: torch.rand(C, 1, 1),
    "columns": lambda: torch.rand(W),
    "pixels": lambda: torch.rand(H, W),
    "neurons": lambda: torch.rand(C, H, W),
    "samples": lambda: torch.rand(B, 1, 1, 1),
    "all": lambda: torch.rand(B, C, H, W),
}


def outcome(make, x, initial):
    """All that a layer returns, and all gradients."""
    neuron = make()
    x, initial = (y.detach().requires_grad_() for y in (x, initial))
    results = neuron(x, initial)
    weights = [torch.linspace(-1, 1, dense(y).numel()).view(y.shape) for y in results]
    loss = sum((y * w).sum() for y, w in zip(results, weights, strict=True))
    grads = torch.autograd.grad(loss, [x, initial, *neuron.parameters()])
    return [*map(dense, results), *grads]


@pytest.mark.parametrize("beta", CONSTANTS)
@pytest.mark.parametrize("sequence", [True, False])
@pytest.mark.parametrize("learned", [True, False])
def test_layers_do_not_see_the_order(beta, sequence, learned):
    constant = CONSTANTS[beta]()

    def make():
        return snn.Leaky(constant, learn_beta=learned, multi_step=sequence)

    shape = (T, B, C, H, W) if sequence else (B, C, H, W)
    x, initial = torch.rand(shape) * 1.5, torch.rand(B, C, H, W)
    last = x.movedim(-3, -1).contiguous().movedim(-1, -3)
    ours, theirs = outcome(make, last, initial), outcome(make, x, initial)
    if learned:  # torch sums the shares of the neurons in the order of memory
        torch.testing.assert_close(ours.pop(), theirs.pop(), rtol=1e-5, atol=1e-5)
    assert all(same_bits(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("kind", [snn.Synaptic, snn.Alpha, snn.RSynaptic])
def test_neurons_of_several_states(kind):
    recurrent = {"all_to_all": False} if kind is snn.RSynaptic else {}
    neuron = kind(0.9, 0.8, multi_step=True, **recurrent)
    x = torch.rand(T, B, C, H, W)
    last = x.movedim(2, -1).contiguous().movedim(-1, 2)
    for ours, theirs in zip(neuron(last), neuron(x), strict=True):
        assert same_bits(dense(ours), dense(theirs))


def test_results_lie_as_the_current_does_and_may_be_written():
    x = torch.rand(T, B, C, H, W).movedim(2, -1).contiguous().movedim(-1, 2).requires_grad_()
    neuron = snn.Leaky(0.9, multi_step=True)
    bits, membrane = neuron(x)
    assert bits.channels_last and membrane.stride() == x.stride()
    assert neuron.mem.stride() == x[0].stride()
    membrane.mul_(2)  # autograd forbids this for a view that a function made
    membrane.sum().backward()
    step, after = snn.Leaky(0.9)(x[0])
    assert step.stride() == after.stride() == x[0].stride()
