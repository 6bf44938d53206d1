"""What changes between two calls of a neuron on a GPU, which remembers how the first one ran.

A process of its own runs it, with ``TRITON_INTERPRET=1`` where there is no GPU.
"""

import copy
import gc
import warnings
import weakref
from contextlib import nullcontext

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike.neurons.base import whole_sequence
from bitspike.neurons.base.run import run_reference
from bitspike.program import triton_kernel
from bitspike.program.key import Known
from helpers.triton import DEVICE, as_on_a_gpu, launches

NEAR = 1e-5


def new(**options):
    torch.manual_seed(2)
    beta = torch.full((5,), 0.8)
    return snn.Leaky(beta, threshold=0.5, multi_step=True, learn_beta=True, **options).to(DEVICE)


def drawn(*shape, dtype=torch.float32):
    return torch.randn(*(shape or (6, 2, 5)), device=DEVICE, dtype=dtype)


def results(call, neuron, x, weights):
    """Spikes, membranes and gradients of a call."""
    leaf = x.detach().clone().requires_grad_(x.requires_grad)
    outputs = call(neuron, leaf)
    loss = sum((y * weight).sum() for y, weight in zip(outputs, weights, strict=True))
    learned = [y for y in (leaf, *neuron.parameters()) if y.requires_grad]
    return [*outputs, *(torch.autograd.grad(loss, learned) if learned else ())]


def called(neuron, x):
    return neuron(x)


def in_torch(neuron, x):
    rest = torch.zeros(x.shape[1:], device=x.device, dtype=x.dtype)
    found = neuron._returned(run_reference(neuron, x, [rest], True, True), True)
    if neuron.order == "fire_first":
        first = neuron.fire(rest)[None]
        found = found._replace(spikes=torch.cat([first, found.spikes[:-1]]))
    return found.spikes, *found.states


def agree(neuron, x):
    """Whether a call returns what the steps in torch do."""
    weights = [torch.randn_like(x) for _ in range(2)]
    found, wanted = (results(call, neuron, x, weights) for call in (called, in_torch))
    assert wanted[0].count_nonzero()
    return all(
        a.shape == b.shape and (a - b).abs().max() <= NEAR * b.abs().max().clamp(min=1)
        for a, b in zip(found, wanted, strict=True)
    )


def half(mem):
    return (mem > 0.25).to(mem.dtype)


ATTRIBUTES = {
    "reset": lambda x: setattr(x, "reset_mechanism", "zero"),
    "delay": lambda x: setattr(x, "reset_delay", False),
    "surrogate": lambda x: setattr(x, "spike_grad", snn.surrogate.fast_sigmoid(slope=3)),
    "method": lambda x: setattr(x, "fire", half),
    "order": lambda x: setattr(x, "order", "fire_first"),
    "class": lambda x: setattr(x, "__class__", Sooner),
    "another tensor": lambda x: setattr(x, "threshold", torch.full((5,), 0.1, device=DEVICE)),
    "another parameter": lambda x: setattr(x, "beta", nn.Parameter(torch.rand(5, device=DEVICE))),
}
"""Changes that only a comparison of attributes finds."""


class Sooner(snn.Leaky):
    """A neuron of a user, who overrides what kernels stand in for."""

    def fire(self, mem):
        return half(mem)


@torch.no_grad()
def adapt(neuron):
    neuron.threshold.mul_(0.5)


NUMBERS = {
    "in place": adapt,
    "beside autograd": lambda x: x.threshold.data.mul_(0.3),
    "learned": lambda x: x.beta.data.mul_(0.5),
    "other memory": lambda x: setattr(x.beta, "data", torch.rand(2, 5, device=DEVICE)),
    "one number": lambda x: setattr(x.beta, "data", torch.tensor(0.3, device=DEVICE)),
    "no longer learned": lambda x: x.beta.requires_grad_(False),
    "mode": lambda x: x.eval(),
    "nothing": lambda x: None,
}
"""Changes of numbers, and of what is asked for."""


def attributes_and_numbers():
    for name, change in (ATTRIBUTES | NUMBERS).items():
        neuron, x = new(), drawn().requires_grad_()
        assert agree(neuron, x)
        change(neuron)
        assert agree(neuron, x), name
        assert agree(neuron, x), name


def control():
    """Without the comparison the changes of attributes are overlooked."""
    for name, change in ATTRIBUTES.items():
        neuron, x = new(), drawn().requires_grad_()
        assert agree(neuron, x)
        change(neuron)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Known, "holds", lambda self, neuron: True)
            try:
                same = agree(neuron, x)
            except (RuntimeError, AssertionError):
                same = False
        assert not same, name


def inputs():
    neuron = new()
    transposed = drawn(2, 6, 5).transpose(0, 1)
    for x in (drawn(), drawn(9, 2, 5), drawn(6, 3, 5), transposed, drawn(70, 1, 5), drawn(4, 5)):
        for grad in (True, False):
            for switch in (nullcontext, torch.no_grad):
                given = x.detach().requires_grad_(grad)
                with switch():
                    spikes, mem = neuron(given)
                    wanted, history = in_torch(neuron, given)
                assert torch.equal(spikes, wanted) and torch.equal(mem, history)
                assert spikes.requires_grad == wanted.requires_grad
            assert agree(neuron, given)
    assert agree(neuron.double(), drawn(dtype=torch.float64).requires_grad_())
    assert agree(neuron.float(), drawn().requires_grad_())
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        assert agree(neuron, drawn().requires_grad_())


def observers():
    """Hooks, transforms and compilers see what they would see without a memory."""
    neuron, x = new(), drawn()
    assert agree(neuron, x)
    wanted = in_torch(neuron, x)[0]
    seen = []
    handle = neuron.register_forward_hook(lambda module, args, output: seen.append(output))
    neuron(x)
    handle.remove()
    assert torch.equal(seen[0][0], wanted)
    pairs = torch.stack([x, 2 * x])
    found = torch.func.vmap(lambda y: neuron(y)[0])(pairs)
    assert torch.equal(found[0], wanted)
    found = torch.func.grad(lambda y: neuron(y)[1].sum())(x)
    again = torch.func.grad(lambda y: in_torch(neuron, y)[1].sum())(x)
    assert torch.allclose(found, again) and found.count_nonzero()
    compiled = torch.compile(lambda y: neuron(y)[0], backend="eager")
    assert torch.equal(compiled(x), wanted)
    leaf = x.clone().requires_grad_()
    kept = torch.utils.checkpoint.checkpoint(lambda y: neuron(y)[0], leaf, use_reentrant=False)
    plain = torch.autograd.grad(neuron(leaf)[0].sum(), leaf)
    assert torch.equal(torch.autograd.grad(kept.sum(), leaf)[0], plain[0])


def written_before_backward():
    """Numbers that are not learned may be written to; what is learned, and the input, may not."""
    for threshold in (torch.tensor(0.5), torch.full((5,), 0.5), torch.full((2, 5), 0.5)):
        neuron = snn.Leaky(0.8, threshold=threshold, multi_step=True).to(DEVICE)
        x = drawn().requires_grad_()
        for _ in range(2):
            spikes, _ = neuron(x)
            kept = neuron.threshold.clone()
            neuron.threshold.data.zero_()
            (found,) = torch.autograd.grad(spikes.sum(), x)
            neuron.threshold.copy_(kept)
            (wanted,) = torch.autograd.grad(in_torch(neuron, x)[0].sum(), x)
            assert torch.allclose(found, wanted, atol=NEAR) and wanted.count_nonzero()
    neuron, x = new(), drawn().requires_grad_()
    for index in range(2):
        y = x * 1
        spikes, _ = neuron(y)
        with torch.no_grad():
            (y, neuron.beta)[index].add_(1)
        with pytest.raises(RuntimeError, match="in-?place"):
            spikes.sum().backward()


def hidden_states():
    """A sequence goes on where the one before has ended, and the gradient goes back."""
    neuron = new(init_hidden=True, output=True)
    x = drawn(8, 2, 5).requires_grad_()
    for _ in range(2):
        neuron.reset_mem()
        halves = [neuron(y) for y in x.split(4)]
        wanted = in_torch(neuron, x)
        for found, want in zip(zip(*halves, strict=True), wanted, strict=True):
            assert torch.equal(torch.cat(found), want)
        grads = [torch.autograd.grad(y.square().sum(), x)[0] for y in (halves[1][1], wanted[1][4:])]
        assert torch.allclose(*grads, atol=NEAR) and grads[0][:4].count_nonzero()


def launches_beside_kernels():
    """A step of training has torch reserve memory, and compute nothing."""
    neuron = snn.Leaky(0.8, threshold=0.5, multi_step=True).to(DEVICE)
    x, weights = drawn().requires_grad_(), drawn()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triton_kernel.Kernel, "_launch", lambda *_: None)
        for _ in range(2):
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as seen:
                spikes, _ = neuron(x)
                torch.autograd.grad([spikes], [x], [weights])
    names = {event.name for event in seen.events() if event.name.startswith("aten::")}
    memory = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided")
    assert "aten::empty_like" in names
    assert names <= {"aten::detach", *(f"aten::{name}" for name in memory)}, names


def memory():
    """It is of use, belongs to one neuron, and ends with it."""
    neuron, x = new(), drawn().requires_grad_()
    with launches() as names, pytest.MonkeyPatch.context() as patch:
        neuron(x)
        patch.setattr(whole_sequence, "_find", None)
        neuron(x)[0].sum().backward()
        assert names == ["forward", "forward", "backward"]
        patch.undo()
        other = copy.deepcopy(neuron)
        with torch.no_grad():
            other.threshold.fill_(9.0)
        assert not other(x)[0].count_nonzero() and neuron(x)[0].count_nonzero()
    gone = weakref.ref(neuron)
    del neuron
    gc.collect()
    assert gone() is None


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # the interpreter's NumPy
    warnings.filterwarnings("ignore", category=snn.ReferencePathWarning)
    with as_on_a_gpu():
        for test in (
            attributes_and_numbers,
            control,
            inputs,
            observers,
            written_before_backward,
            hidden_states,
            launches_beside_kernels,
            memory,
        ):
            test()
    print(f"Changes are seen, on {DEVICE}")
