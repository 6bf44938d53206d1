"""Random steps as programs: the step's bits, and autograd's gradients."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

import bitspike as snn
from bitspike import program
from bitspike.neurons.base.run import run_reference
from helpers import interpreted
from helpers.compare import same_bits

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
shapes = st.sampled_from([(1,), (5,), (3, 4), (1, 9), (2, 17), (2, 3, 4)])


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


@settings(max_examples=12, deadline=None)
@given(st.lists(calls, min_size=1, max_size=9), shapes, st.integers(0, 2**32 - 1))
def test_random_steps(calls, shape, seed):
    torch.manual_seed(seed)
    neuron = Drawn(calls, shape)
    captured = program.capture(neuron, rank=len(shape))
    x = torch.randn(4, *shape, requires_grad=True)
    before = [torch.randn(shape, requires_grad=True) for _ in neuron.STATES]
    spikes, states, _ = run_reference(neuron, x, before, True, True)
    plain = [y.detach() for y in before]
    own = captured.constants(neuron, x.device)
    constants = [y.detach() for y in own]
    fired, after = interpreted.forward(captured.forward, [x.detach()], plain, constants)
    assert same_bits(fired, spikes)
    assert all(same_bits(*pair) for pair in zip(after, states, strict=True))

    weights = [torch.randn_like(fired) for _ in range(3)]
    results = (spikes, *states)
    pairs = [pair for pair in zip(results, weights, strict=True) if pair[0].requires_grad]
    learned = [i for i, y in enumerate(own) if y.requires_grad]
    inputs = [x, *before, *(own[i] for i in learned)]
    wanted = torch.autograd.grad(
        [pair[0] for pair in pairs],
        inputs,
        [pair[1] for pair in pairs],
        allow_unused=True,
        materialize_grads=True,
    )
    found = interpreted.backward(captured, [x.detach()], plain, constants, weights)
    of_sequences, of_states, of_constants, sizes = found
    actual = [of_sequences[0], *of_states, *(of_constants[i] for i in learned)]
    scales = [*wanted[:3], *(sizes[i] for i in learned)]
    for want, got, scale in zip(wanted, actual, scales, strict=True):
        scale = torch.where(scale.isfinite(), scale, 0).abs().max().clamp(min=1e-6)
        assert torch.allclose(got, want, rtol=1e-4, atol=2e-5 * scale.item(), equal_nan=True)
