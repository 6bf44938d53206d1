"""Programs in the native module: the bits of their steps, and autograd's gradients."""

import copy

import pytest
import torch

import bitspike as snn
from bitspike import SpikeTensor, program, surrogate
from bitspike.neurons.base.programs import run_program
from bitspike.neurons.base.run import run_reference
from bitspike.ops.straight_line import TRANSCENDENTAL
from helpers.cases import CASES, IN_TORCH
from helpers.compare import dense, same_bits
from helpers.interpreted import apply_native

pytestmark = pytest.mark.isa

NEAR = 2e-5
LAYERS = [
    pytest.param(case, *reset, id=f"{case}, {reset[0]}{'' if reset[1] else ' at once'}")
    for case in (*CASES, *IN_TORCH)
    for reset in case.resets()
]


def everything(run, neuron, x, initial, weights):
    """Results of a sequence, and gradients."""
    neuron = copy.deepcopy(neuron)
    inputs = [y.clone().requires_grad_() for y in (x, *initial)]
    torch.manual_seed(5)
    spikes, states, last = run(neuron, inputs[0], inputs[1:], sequence=True, states=True)
    results = (spikes, *states, *last)
    pairs = [pair for pair in zip(results, weights, strict=True) if pair[0].requires_grad]
    grads = torch.autograd.grad(
        [pair[0] for pair in pairs],
        [*inputs, *neuron.parameters()],
        [pair[1] for pair in pairs],
        allow_unused=True,
        materialize_grads=True,
    )
    return [dense(y) for y in results], grads


def assert_native(neuron, x, initial):
    """Compares a native program with the steps in torch; returns the share of spikes."""
    code = program.capture(neuron, rank=x.dim() - 1).forward.code
    exact = TRANSCENDENTAL.isdisjoint(instruction.op for instruction in code)
    count = len(initial)
    weights = [torch.randn_like(x) for _ in range(1 + count)]
    weights += [torch.randn_like(y) for y in initial]
    wanted, grads = everything(run_reference, neuron, x, initial, weights)
    actual, found = everything(run_program, neuron, x, initial, weights)
    for a, b in zip(actual, wanted, strict=True):
        if exact:
            assert same_bits(a, b)
        # The last bit of a membrane of -60 mV is 4e-6 mV, and it is carried on.
        assert (a - b).abs().max() <= NEAR * b.abs().max().clamp(min=1)
    assert same_bits(actual[0], wanted[0])
    near = NEAR if exact else 10 * NEAR
    for a, b in zip(found, grads, strict=True):
        assert (a - b).abs().max() <= near * b.abs().max().clamp(min=1)
    return actual[0].ne(0).float().mean().item()


@pytest.mark.parametrize("case, reset, delay", LAYERS)
def test_every_neuron(case, reset, delay):
    share = assert_native(case.neuron(33, reset, delay), *case.inputs(11, 3, 33))
    assert 0.003 < share < 0.9


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("case", [CASES[0], IN_TORCH[0]], ids=str)
def test_threads(case, count, threads):
    """Enough neurons for several threads, which share words and sums of gradients with nobody."""
    neuron = case.neuron(1300, *case.resets()[0])
    x, initial = case.inputs(40, 5, 1300)
    weights = [torch.randn_like(x) for _ in range(1 + len(initial))]
    weights += [torch.randn_like(y) for y in initial]
    threads(count)
    several = everything(run_program, neuron, x, initial, weights)
    threads(1)
    alone = everything(run_program, neuron, x, initial, weights)
    for a, b in zip((*several[0], *several[1]), (*alone[0], *alone[1]), strict=True):
        assert same_bits(a, b)


with_vectors = pytest.mark.skipif(
    torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"),
    reason="torch computes sigmoids in another way",
)


@with_vectors
def test_a_sigmoid_has_the_bits_of_torch():
    bits = torch.arange(-(2**31), 2**31, 4099).int()
    x = bits[: bits.numel() // 32 * 32].view(torch.float32)
    assert same_bits(apply_native("sigmoid", x), torch.sigmoid(x))


@with_vectors
def test_a_neuron_of_sigmoids_has_the_bits_of_torch():
    neuron = snn.CLIF(beta=0.8)
    x, rest = torch.randn(20, 3, 64), [torch.zeros(3, 64)] * 2
    wanted = run_reference(neuron, x, rest, sequence=True, states=True)
    found = run_program(neuron, x, rest, sequence=True, states=True)
    assert all(same_bits(a, b) for a, b in zip(found[1], wanted[1], strict=True))
    assert same_bits(found[0], wanted[0]) and 0.01 < wanted[0].mean() < 0.5


@pytest.mark.parametrize("shape", [(), (5,), (3, 65), (2, 3, 4), (2, 3, 4, 5)], ids=str)
def test_steps_of_any_shape(shape):
    neuron = snn.Leaky(torch.rand(shape[-1:]), learn_beta=True, detach_reset=False, threshold=0.6)
    assert_native(neuron, torch.randn(6, *shape), [torch.randn(shape)])


SWITCHES = {
    "detach_reset": {"detach_reset": False},
    "custom": {"spike_grad": surrogate.custom_surrogate(lambda x, grad, spikes: grad / 2)},
    "ge": {"fire_at": "ge"},
    "range": {"spike_range": (-1, 2)},
    "quantised": {"state_quant": lambda x: x + ((x * 8).round() / 8 - x).detach()},
    "graded": {"graded_spikes_factor": 0.5, "detach_reset": False},
}


@pytest.mark.parametrize("name", SWITCHES)
def test_switches_run_natively(name, monkeypatch):
    """Sequences and single steps agree, and nothing runs in torch."""
    neuron = snn.Leaky(0.9, learn_beta=True, threshold=0.7, **SWITCHES[name])
    x = torch.randn(12, 3, 70)
    wanted, _, _ = run_reference(neuron, x, [torch.zeros(3, 70)], True, False)
    monkeypatch.setattr(type(neuron), "_run_reference", None)
    spikes, membranes = neuron.run_sequence(x)
    assert same_bits(dense(spikes), wanted)
    packed = name in ("detach_reset", "custom", "quantised")
    assert isinstance(spikes, SpikeTensor) == packed
    state = torch.zeros(3, 70)
    for t, current in enumerate(x):
        spike, state = neuron(current, state)
        assert same_bits(dense(spike), wanted[t]) and same_bits(state, membranes[t])


def test_gradients_of_gradients():
    """They are those of the steps in torch."""
    found = []
    for run in (run_program, run_reference):
        neuron = snn.Leaky(0.9, learn_beta=True, detach_reset=False)
        torch.manual_seed(0)
        x = torch.randn(5, 2, 3, requires_grad=True)
        spikes, _, last = run(neuron, x, [torch.zeros(2, 3)], sequence=True, states=False)
        loss = (spikes * torch.arange(3.0)).sum() + last[0].square().sum()
        (first,) = torch.autograd.grad(loss, x, create_graph=True)
        found.append(torch.autograd.grad(first.square().sum(), [x, *neuron.parameters()]))
    for a, b in zip(*found, strict=True):
        assert torch.allclose(a, b, atol=1e-6) and a.abs().max() > 0


def test_what_others_write_afterwards_changes_no_gradient():
    neuron, twin = (snn.Leaky(0.9, detach_reset=False) for _ in range(2))
    x, y = torch.full((2, 3), 0.8, requires_grad=True), torch.full((2, 3), 0.8, requires_grad=True)
    current = x * 1
    spikes, _ = neuron(current)
    with torch.no_grad():
        current.zero_()
        neuron.threshold.fill_(9.0)
    spikes.sum().backward()
    twin(y)[0].sum().backward()
    assert same_bits(x.grad, y.grad) and x.grad.abs().max() > 0
