"""Gradients of gradients, batches of gradients, and transforms of torch.func.

Right values are those of the same neuron in float64, which runs in torch.
"""

import copy

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import scan, surrogate
from helpers.cases import CASES

layers = pytest.mark.parametrize(
    "case, reset, delay",
    [
        pytest.param(case, *reset, id=f"{case}, {reset[0]}{'' if reset[1] else ' at once'}")
        for case in CASES
        for reset in case.resets()
    ],
)
STEPS = 5


def floats(result):
    """The tensors of a result, dense, as a list."""
    if isinstance(result, torch.Tensor):
        return [result * 1]  # which unpacks in autograd's sight
    return [x for part in result for x in floats(part)]


def penalty(module, inputs, dtype):
    """Second derivatives of a sum over all that the module returns, for inputs and parameters."""
    module = copy.deepcopy(module).to(dtype)
    leaves = [x.detach().to(dtype).requires_grad_() for x in inputs]
    wanted = [*leaves, *(x for x in module.parameters() if x.requires_grad)]
    results = floats(module(*leaves))
    weights = torch.Generator().manual_seed(5)
    loss = sum(
        (x * torch.rand(x.shape, generator=weights).to(dtype)).square().sum() for x in results
    )
    first = torch.autograd.grad(loss, wanted, create_graph=True, allow_unused=True)
    first = [x for x in first if x is not None and x.requires_grad]
    second = torch.autograd.grad(sum(x.square().sum() for x in first), wanted, allow_unused=True)
    pairs = zip(second, wanted, strict=True)
    return [torch.zeros_like(leaf) if x is None else x for x, leaf in pairs]


def assert_close(module, inputs, tolerance=2e-3):
    wanted, got = (penalty(module, inputs, dtype) for dtype in (torch.float64, torch.float32))
    assert len(wanted) == len(got) > 0
    for theirs, ours in zip(wanted, got, strict=True):
        scale = theirs.abs().max().clamp(min=1e-6)
        assert (theirs - ours).abs().max() <= tolerance * scale


class Given(nn.Module):
    """A neuron with its initial states as inputs."""

    def __init__(self, neuron, pair=False):
        super().__init__()
        self.neuron, self.pair = neuron, pair

    def forward(self, x, *states):
        return self.neuron(x, states) if self.pair else self.neuron(x, *states)


def clear(case, neuron, x, initial):
    """Whether no level is so near its threshold that float32 may fire where float64 does not."""
    twin, levels = copy.deepcopy(neuron).double(), []
    states = [s.double() for s in initial]
    for current in x.double():
        _, states = twin.step(current, *states)
        levels.append((twin.level(*states) - twin.firing_threshold()).detach())
    return torch.stack(levels).abs().min() > 1e-4


@layers
@pytest.mark.parametrize("multi", [False, True])
def test_second_derivatives_of_every_neuron(case, reset, delay, multi):
    neuron = case.neuron(3, reset, delay, multi_step=multi)
    for _ in range(20):
        x, initial = case.inputs(STEPS, 2, 3)
        if clear(case, neuron, x if multi else x[:1], initial):
            break
    module = Given(neuron, pair=case.kind is snn.DeltaLeaky)
    assert neuron.native_refusal(x) is None
    assert_close(module, [x if multi else x[0], *initial])


@pytest.mark.parametrize("spike_grad", [kind() for kind in surrogate.ALL], ids=lambda s: s.NAME)
def test_second_derivatives_with_every_surrogate(spike_grad):
    x = torch.rand(STEPS, 2, 3) * 2
    assert_close(snn.Leaky(beta=0.7, learn_beta=True, spike_grad=spike_grad, multi_step=True), [x])


RECURRENT = {
    "dense": dict(linear_features=3),
    "one to one": dict(V=torch.tensor([0.3, -0.2, 0.4]), all_to_all=False),
    "convolution": dict(conv2d_channels=2, kernel_size=3),
}


@pytest.mark.parametrize("connection", RECURRENT)
@pytest.mark.parametrize("kind", [snn.RLeaky, snn.RSynaptic])
@pytest.mark.parametrize("multi", [False, True])
@pytest.mark.parametrize("reset", ["subtract", "zero"])
def test_second_derivatives_of_recurrent_layers(kind, connection, multi, reset):
    arguments = dict(beta=0.7, learn_beta=True, learn_threshold=True, threshold=0.8)
    arguments |= dict(alpha=0.6) if kind is snn.RSynaptic else {}
    neuron = kind(**arguments, **RECURRENT[connection], multi_step=multi, reset_mechanism=reset)
    shape = (2, 2, 4, 4) if connection == "convolution" else (2, 3)
    x = torch.rand(STEPS, *shape) * 1.5
    states = [torch.rand(shape).round(), *(torch.rand(shape) for _ in neuron.STATES[1:])]
    assert_close(Given(neuron), [x if multi else x[0], *states])


SCANS = {
    "StateLeaky": lambda: snn.StateLeaky(0.6, 3, learn_beta=True, learn_threshold=True),
    "LinearLeaky": lambda: snn.LinearLeaky(0.6, 3, 4, learn_beta=True),
    "LeakyParallel": lambda: snn.LeakyParallel(3, 4, beta=0.7, learn_beta=True),
    "AssociativeLeaky": lambda: snn.AssociativeLeaky(3, 2, 2),
    "LI": lambda: snn.LI(beta=0.6, learn_beta=True, multi_step=True),
}


@pytest.mark.parametrize("name", SCANS)
def test_second_derivatives_of_neurons_without_reset(name):
    assert_close(SCANS[name](), [torch.rand(STEPS, 2, 3) * 2])


@pytest.mark.parametrize("rectified", [False, True])
@pytest.mark.parametrize("decay", [(), (3,), (2, 3), (STEPS, 2, 3)])
def test_second_derivatives_of_linear_scans(rectified, decay):
    class Scan(nn.Module):
        def forward(self, x, decay, initial):
            return scan.linear_scan(x, decay, initial, rectified=rectified)

    inputs = [torch.randn(STEPS, 2, 3), torch.rand(decay), torch.randn(2, 3)]
    assert_close(Scan(), inputs, 1e-4)


def test_second_derivatives_of_a_network():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 8)
            self.hidden = snn.Leaky(beta=0.8, multi_step=True)
            self.outer = nn.Linear(8, 2)
            self.readout = snn.LI(beta=0.9, multi_step=True)

        def forward(self, x):
            spikes, _ = self.hidden(self.inner(x) * 2)
            return self.readout(self.outer(spikes))

    assert_close(Network(), [torch.rand(STEPS, 4, 3) * 2])


def test_first_derivatives_with_a_graph_are_those_without():
    x = torch.rand(STEPS, 2, 3, requires_grad=True)
    lif = snn.Leaky(beta=0.7, multi_step=True)
    grads = [
        torch.autograd.grad(lif(x)[1].square().sum(), x, create_graph=graph)[0]
        for graph in (False, True)
    ]
    assert torch.allclose(*grads, rtol=1e-5)
    assert grads[1].requires_grad and not grads[0].requires_grad


def test_third_derivatives():
    results = []
    for dtype in (torch.float64, torch.float32):
        x = torch.linspace(0, 2, 6, dtype=dtype).view(3, 2, 1).requires_grad_()
        grad = snn.Leaky(beta=0.7, multi_step=True).to(dtype)(x)[1].pow(4).sum()
        for _ in range(3):
            (grad,) = torch.autograd.grad(grad.sum(), x, create_graph=True)
        results.append(grad.double())
    assert results[0].abs().max() > 1
    assert torch.allclose(*results, rtol=1e-3)


# Batches of gradients


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("multi", [False, True])
def test_batches_of_gradients_are_the_gradients_one_by_one(case, multi):
    neuron = case.neuron(3, case.kind.RESETS[0], True, multi_step=multi, learn=False)
    x, _ = case.inputs(STEPS, 2, 3)
    x = (x if multi else x[0]).requires_grad_()
    mem = floats(neuron(x))[-1]
    rows = torch.eye(mem.numel()).view(-1, *mem.shape)
    (batched,) = torch.autograd.grad(mem, x, rows, is_grads_batched=True, retain_graph=True)
    wanted = [torch.autograd.grad(mem, x, row, retain_graph=True)[0] for row in rows]
    assert torch.allclose(batched, torch.stack(wanted), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("multi", [False, True])
def test_batches_of_gradients_of_recurrent_layers_and_scans(multi):
    x = torch.rand(STEPS, 2, 3)
    modules = [snn.RLeaky(0.7, linear_features=3, multi_step=multi)]
    modules += [snn.StateLeaky(0.6, 3)] if multi else []
    for module in modules:
        leaf = (x if multi else x[0]).clone().requires_grad_()
        out = floats(module(leaf))[-1]
        rows = torch.eye(out.numel()).view(-1, *out.shape)
        (batched,) = torch.autograd.grad(out, leaf, rows, is_grads_batched=True, retain_graph=True)
        wanted = [torch.autograd.grad(out, leaf, row, retain_graph=True)[0] for row in rows]
        assert torch.allclose(batched, torch.stack(wanted), rtol=1e-3, atol=1e-6)


def test_jacobian_and_hessian_of_torch_autograd():
    lif = snn.Leaky(beta=0.7, multi_step=True)
    x = torch.rand(3, 2, 2)

    def membrane(x):
        return lif.to(x.dtype)(x)[1]

    for vectorize in (False, True):
        got = torch.autograd.functional.jacobian(membrane, x, vectorize=vectorize)
        wanted = torch.autograd.functional.jacobian(membrane, x.double())
        assert torch.allclose(got.double(), wanted, rtol=1e-3)
        got = torch.autograd.functional.hessian(
            lambda x: membrane(x).pow(3).sum(), x, vectorize=vectorize
        )
        wanted = torch.autograd.functional.hessian(lambda x: membrane(x).pow(3).sum(), x.double())
        assert torch.allclose(got.double(), wanted, rtol=1e-3, atol=1e-5)
