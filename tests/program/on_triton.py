"""Programs as Triton kernels, compared with the steps in torch; a process of its own runs it.

With ``TRITON_INTERPRET=1`` the kernels run on the CPU, otherwise on the GPU that is there.
"""

import copy
import warnings

import torch

import bitspike as snn
from bitspike import program
from bitspike.neurons.base.run import run_reference
from bitspike.ops.straight_line import TRANSCENDENTAL
from bitspike.program import layer, triton_layer
from helpers.cases import CASES, IN_TORCH
from helpers.triton import DEVICE, as_on_a_gpu

NEAR = 1e-5


def everything(neuron, x, initial, weights, run, device, states):
    """Results and gradients, on the CPU."""
    neuron = copy.deepcopy(neuron).to(device)
    inputs = [y.to(device, copy=True).requires_grad_() for y in (x, *initial)]
    weights = [y.to(device) for y in weights]
    torch.manual_seed(5)
    spikes, after, last = run(neuron, inputs[0], inputs[1:], states)
    results = (spikes, *after, *last)
    pairs = [pair for pair in zip(results, weights, strict=True) if pair[0].requires_grad]
    learned = [*inputs, *neuron.parameters()]
    grads = torch.autograd.grad(
        [pair[0] for pair in pairs],
        learned,
        [pair[1] for pair in pairs],
        allow_unused=True,
        materialize_grads=True,
    )
    return [y.cpu() for y in results], [y.cpu() for y in grads]


def reference(neuron, x, initial, states=True):
    return run_reference(neuron, x, initial, True, states)


def kernels(neuron, x, initial, states=True):
    return neuron.run(x, initial, sequence=True, states=states)


def compare(neuron, x, initial, states=True):
    """Compares a sequence step by step in torch with the kernels; returns the share of spikes.

    With the states of all steps, or without; then kernels keep those for backward by themselves.
    """
    captured = program.capture(neuron, rank=x.dim() - 1)
    exact = TRANSCENDENTAL.isdisjoint(instruction.op for instruction in captured.forward.code)
    if DEVICE == "cuda":
        exact = exact and not captured.computed  # a decay exp(-dt/tau) has other bits there
    weights = [torch.randn_like(x) for _ in range(1 + states * len(initial))]
    weights += [torch.randn_like(y) for y in initial]
    given = (neuron, x, initial, weights)
    wanted, grads = everything(*given, run=reference, device="cpu", states=states)
    actual, found = everything(*given, run=kernels, device=DEVICE, states=states)
    for a, b in zip(actual, wanted, strict=True):
        if exact:
            assert torch.equal(a, b), type(neuron)
        assert (a - b).abs().max() <= NEAR * b.abs().max().clamp(min=1), type(neuron)
    assert torch.equal(actual[0], wanted[0])
    for a, b in zip(found, grads, strict=True):
        assert (a - b).abs().max() <= NEAR * b.abs().max().clamp(min=1), type(neuron)
    return actual[0].ne(0).float().mean().item()


def all_neurons():
    for case in (*CASES, *IN_TORCH):
        torch.manual_seed(0)
        neuron = case.neuron(5, *case.resets()[-1])
        if DEVICE == "cuda" and program.capture(neuron).draws:
            continue  # The GPU has other random numbers.
        x, initial = case.inputs(4, 2, 5)
        assert compare(neuron, x, initial) < 0.9


def without_history():
    """States are kept for backward, in long sequences those before each chunk of steps."""
    for steps in (7, 65, 71):
        case = CASES[1]
        neuron = case.neuron(5, *case.resets()[0])
        x, initial = case.inputs(steps, 2, 5)
        assert compare(neuron, x, initial, states=False) > 0.01


def shapes():
    for shape in ((1,), (70,), (2, 3, 4), ()):
        beta = torch.rand(shape[-1:])
        neuron = snn.Leaky(beta, learn_beta=True, threshold=0.5)
        x, rest = torch.randn(5, *shape), torch.zeros(shape)
        compare(neuron, x, [rest])
    channels = snn.Leaky(torch.rand(3, 1, 1), learn_beta=True)
    x = torch.randn(4, 2, 3, 5, 1)
    compare(channels, x, [torch.zeros_like(x[0])])


def words():
    """Packed spikes are those of the library's layout."""
    for shape in ((70,), (3, 64), (3, 130), (2, 3, 30)):
        neuron = snn.Leaky(0.9, multi_step=True, threshold=0.5).to(DEVICE)
        captured = program.capture(neuron, rank=len(shape), gradient=False)
        call = layer.Call(captured, sequence=True, packed=True)
        x, rest = torch.randn(4, *shape, device=DEVICE), torch.zeros(shape, device=DEVICE)
        with torch.no_grad():
            tensors = [x, rest, *captured.constants(neuron, x.device)]
            found, _ = triton_layer.run(neuron, call, tensors)
        spikes, *_ = reference(neuron, x, [rest])
        dense = spikes.cpu().reshape(4, *shape[:1] * (len(shape) > 1), -1)
        assert torch.equal(found.cpu(), pack(dense))


def pack(dense):
    rows = torch.nn.functional.pad(dense, (0, -dense.shape[-1] % 64)).long()
    rows = rows.reshape(*rows.shape[:-1], -1, 64)
    return (rows << torch.arange(64)).sum(-1)


class Functions(snn.Neuron):
    """Every operation of programs, on every number."""

    STATES = ("mem",)

    def step(self, current, mem):
        x, y = current, mem
        values = [f(x) for f in FUNCTIONS]
        values += [torch.maximum(x, y), torch.minimum(x, y), x / y, (x > y) & ~(y <= 0) | (x == 1)]
        chosen = torch.zeros_like(x)
        for i, value in enumerate(values):
            chosen = torch.where(mem == i, value, chosen)
        return self.fire(chosen), (chosen,)


FUNCTIONS = (
    *(torch.exp, torch.expm1, torch.log, torch.log1p, torch.tanh, torch.sigmoid, torch.sin),
    *(torch.cos, torch.tan, torch.atan, torch.erf, torch.floor, torch.ceil, torch.round),
    *(torch.trunc, torch.sign, torch.sqrt, torch.abs, torch.neg, torch.reciprocal),
)


def functions():
    edges = [0.0, 0.5, 1.5, 2.5, 1.0, 1e-8, 1e-4, 3.0, 20.0, 90.0, float("inf")]
    edges = torch.tensor([*edges, *(-x for x in edges), float("nan")])
    x = torch.cat([edges, torch.randn(300), torch.randn(100) * 10])
    neuron = Functions()
    count = len(FUNCTIONS) + 4
    currents, which = x.expand(count, -1), torch.arange(count).float().unsqueeze(1)
    current, state = currents[None].contiguous(), which.expand_as(currents)
    with torch.no_grad():
        _, _, (wanted,) = reference(neuron, current, [state])
        _, _, (found,) = kernels(neuron.to(DEVICE), current.to(DEVICE), [state.to(DEVICE)])
    for name, a, b in zip(
        (*FUNCTIONS, "max", "min", "div", "logic"), found.cpu(), wanted, strict=True
    ):
        both = a.isfinite() & b.isfinite()
        # The GPU's exponential loses digits in proportion to its argument.
        near = (1e-6 + 3e-7 * x.abs()) * b.abs() + 2e-7
        assert ((a - b).abs() <= near)[both & x.isfinite()].all(), name
        assert torch.equal(a.isnan(), b.isnan()) and torch.equal(a.isinf(), b.isinf()), name


def gradients_of_gradients():
    neuron = snn.Leaky(0.9, multi_step=True, threshold=0.5).to(DEVICE)
    x = torch.randn(4, 2, 3, device=DEVICE, requires_grad=True)
    rest = torch.zeros(2, 3, device=DEVICE)
    twice = []
    for run in (reference, kernels):
        spikes, states, _ = run(neuron, x, [rest])
        (grad,) = torch.autograd.grad((spikes * states[0]).sum(), x, create_graph=True)
        twice.append(torch.autograd.grad(grad.square().sum(), x)[0])
    assert torch.allclose(*twice, rtol=1e-5) and twice[0].count_nonzero()


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # the interpreter's NumPy
    with as_on_a_gpu():
        for test in (
            all_neurons,
            without_history,
            shapes,
            words,
            functions,
            gradients_of_gradients,
        ):
            test()
    print(f"Triton kernels are right, on {DEVICE}")
