"""Random steps as programs: the step's bits, and autograd's gradients."""

from itertools import chain

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import bitspike as snn
from bitspike.neurons.base.run import run_reference
from bitspike.ops import _native
from bitspike.program import native_layer
from bitspike.program.capture import _captured
from bitspike.program.layer import Call, run_layer
from bitspike.program.trace import SIZES, trace
from helpers import interpreted
from helpers.compare import same_bits

NEAR = 2e-5
UNARY = (
    *(torch.neg, torch.abs, torch.sin, torch.tanh, torch.sigmoid, torch.atan, torch.relu),
    *(torch.floor, torch.ceil, torch.round, torch.trunc, torch.sign, torch.square, torch.frac),
    *(torch.erf, F.relu6, F.hardtanh, F.leaky_relu, lambda x: x**3, lambda x: x.clamp(-0.5, 0.7)),
    *(lambda x: 1 - x, lambda x: x / 3, lambda x: x.clamp(max=5).exp(), torch.detach),
    *(lambda x: x.abs().sqrt(), lambda x: (1 + x.abs()).reciprocal(), lambda x: x * 0.1),
    *(lambda x: (x > 0.1).float(), lambda x: torch.where(x < 0, 0.5, x), torch.cos, torch.expm1),
)
BINARY = (
    *(torch.add, torch.sub, torch.mul, torch.minimum, torch.maximum),
    *(lambda x, y: x / (1 + y.abs()), lambda x, y: torch.where(x > y, y, x * 2)),
    *(lambda x, y: x * (y > 0), lambda x, y: x.masked_fill(y <= 0, 0.25)),
    *(lambda x, y: x + ((x > 0) & (y > 0)), lambda x, y: torch.clamp(x, min=y)),
    *(lambda x, y: x + (x.detach() >= y), lambda x, y: torch.addcdiv(x, y, 1 + x.abs())),
)
calls = st.tuples(
    st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 99), st.integers(0, 99)
)
shapes = st.sampled_from([(1,), (5,), (3, 4), (1, 9), (2, 17), (2, 3, 4), (6, 1500)])
# The last is work for four threads.


class Drawn(snn.SpikingNeuron):
    """A neuron of drawn operations on its input, its states and its parameters."""

    STATES = ("first", "mem")

    def __init__(self, calls, shape):
        super().__init__(threshold=0.3)
        self.calls = calls
        self.one = torch.nn.Parameter(torch.tensor(0.6))
        self.each = torch.nn.Parameter(torch.randn(shape[-1:]))

    def step(self, current, first, mem):
        values = [current, first, mem, self.one, self.each]
        for call, left, right in self.calls:
            x, y = values[left % len(values)], values[right % len(values)]
            result = UNARY[call](x) if call < len(UNARY) else BINARY[call - len(UNARY)](x, y)
            values.append(result)
        mem = values[-1] * 0.5 + current
        return self.fire(mem), (torch.tanh(values[-2] + first), mem)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(calls, min_size=1, max_size=8),
    shapes,
    st.integers(1, 4),
    st.integers(0, 2**32 - 1),
)
def test_random_steps(calls, shape, threads, seed):
    torch.manual_seed(seed)
    neuron = Drawn(calls, shape)
    # What `capture` does, with one trace instead of two that it compares: most of the time here.
    captured = _captured(trace(neuron, len(shape), True, SIZES[0]))
    x = torch.randn(3, *shape, requires_grad=True)
    before = [torch.randn(shape, requires_grad=True) for _ in neuron.STATES]
    spikes, states, _ = run_reference(neuron, x, before, True, True)
    own = captured.constants(neuron, x.device)
    inputs = [x.detach()], [y.detach() for y in before], [y.detach() for y in own]
    fired, after = interpreted.forward(captured.forward, *inputs)
    assert same_bits(fired, spikes)
    assert all(same_bits(*pair) for pair in zip(after, states, strict=True))

    weights = [torch.randn_like(fired) for _ in range(3)]
    results = (spikes, *states)
    pairs = [pair for pair in zip(results, weights, strict=True) if pair[0].requires_grad]
    learned = [i for i, y in enumerate(own) if y.requires_grad]
    wanted = torch.autograd.grad(
        [pair[0] for pair in pairs],
        [x, *before, *(own[i] for i in learned)],
        [pair[1] for pair in pairs],
        allow_unused=True,
        materialize_grads=True,
    )
    found, sizes = flat(interpreted.backward(captured, *inputs, weights), learned)
    assert_near(found, wanted, [*wanted[:3], *sizes])
    assert_native(captured, inputs, learned, threads, weights)


def flat(gradients, learned):
    """Gradients of the current, of states and of what is learned, and the sizes of those sums."""
    of_sequences, of_states, of_constants, sizes = gradients
    found = [of_sequences[0], *of_states, *(of_constants[i] for i in learned)]
    return found, [sizes[i] for i in learned]


def assert_near(actual, wanted, sizes):
    """Compares with what is large in each tensor, and, as 1 - tanh² cancels, with each number."""
    for want, got, size in zip(wanted, actual, sizes, strict=True):
        size = torch.where(size.isfinite(), size, 0).abs().max().clamp(min=1e-6)
        assert torch.allclose(got, want, rtol=1e-4, atol=NEAR * size.item(), equal_nan=True)


def assert_native(captured, inputs, learned, threads, weights):
    """Compares every instruction set with torch, which calls its exponentials and their like."""
    apply = interpreted.apply_native
    fired, after = interpreted.forward(captured.forward, *inputs, apply)
    wanted, sizes = flat(interpreted.backward(captured, *inputs, weights, apply), learned)
    call = Call(captured, sequence=True, states=True)
    tensors = [y.clone().requires_grad_() for y in chain(*inputs)]
    earlier, isa = torch.get_num_threads(), _native.describe()["isa"]
    torch.set_num_threads(threads)
    try:
        for name in _native.describe()["isas"]:
            _native.force_isa(name)
            results = run_layer(native_layer.Run, call, None, tensors)[:3]
            assert all(same_bits(*pair) for pair in zip(results, (fired, *after), strict=True))
            grads = torch.autograd.grad(results, tensors, weights, allow_unused=True)
            chosen = [*grads[:3], *(grads[3 + i] for i in learned)]
            assert_near(chosen, wanted, [*wanted[:3], *sizes])
    finally:
        _native.force_isa(isa)
        torch.set_num_threads(earlier)
