"""Surrogate gradients: against their primitives, snnTorch, and the native module."""

import pytest
import snntorch.surrogate
import torch
from compare import RESETS, SURROGATES, error
from torch import nn

import bitspike as snn
from bitspike import surrogate

GRID = torch.linspace(-4.03, 4.01, 2001, dtype=torch.float64)

WITH_PRIMITIVE = [
    kind
    for kind in (*SURROGATES, surrogate.ATan(0.7), surrogate.Gaussian(2.0), surrogate.Boxcar(0.3))
    if hasattr(kind, "primitive")
]


@pytest.mark.parametrize("kind", WITH_PRIMITIVE, ids=str)
def test_derivative_is_that_of_the_primitive(kind):
    x = GRID.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(kind.primitive(x).sum(), x)
    assert (kind.derivative(GRID) - wanted).abs().max() < 1e-9 * wanted.abs().max().clamp(min=1)


@pytest.mark.parametrize("kind", SURROGATES, ids=str)
def test_forward_is_the_step(kind):
    x = torch.tensor([-1.0, -0.0, 0.0, 1e-45, 1.0, float("inf"), -float("inf"), float("nan")])
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        spikes = kind(x.to(dtype))
        assert spikes.dtype == dtype
        assert spikes.tolist() == (x.to(dtype) > 0).double().tolist()


@pytest.mark.parametrize("kind", SURROGATES, ids=str)
def test_backward_multiplies_by_the_derivative(kind):
    x = GRID.clone().requires_grad_()
    grad = torch.randn_like(x)
    kind(x).backward(grad)
    assert x.grad.equal(grad * kind.derivative(GRID))


@pytest.mark.parametrize("kind", SURROGATES, ids=str)
def test_extreme_inputs_have_a_finite_derivative(kind):
    x = torch.tensor([-1e30, -1e4, -100.0, 0.0, 100.0, 1e4, 1e30])
    assert kind.derivative(x).isfinite().all()


NAMES = {
    "atan": dict(alpha=1.5),
    "fast_sigmoid": dict(slope=10),
    "sigmoid": dict(slope=5),
    "straight_through_estimator": {},
    "triangular": dict(threshold=0.5),
    "spike_rate_escape": dict(beta=2, slope=5),
    "heaviside": {},
}


@pytest.mark.parametrize("given", [False, True], ids=["defaults", "arguments"])
@pytest.mark.parametrize("name", NAMES)
def test_equals_snntorch(name, given):
    arguments = NAMES[name] if given else {}
    gradients = []
    for library in (snntorch.surrogate, surrogate):
        x = GRID.float().requires_grad_()
        getattr(library, name)(**arguments)(x).sum().backward()
        gradients.append(x.grad)
    wanted, actual = gradients
    # snnTorch's sigmoid overflows far below threshold, and loses its digits before it does.
    usable = GRID > -30 / arguments.get("slope", 25) if name == "sigmoid" else GRID == GRID
    assert usable.sum() > 1000
    assert error(actual[usable], wanted[usable]) < 1e-6
    assert actual.isfinite().all()


def test_snntorchs_sigmoid_overflows():
    x = torch.tensor([-5.0], requires_grad=True)
    snntorch.surrogate.sigmoid()(x).backward()
    assert x.grad.isnan()
    assert surrogate.sigmoid().derivative(x.detach()) == pytest.approx(25 * 2.718281828**-125)


def test_sparse_fast_sigmoid():
    x = torch.tensor([-1.5, -0.5, 0.5, 1.5])
    inside = surrogate.FastSigmoid(3.0).derivative(x)
    assert surrogate.SFS(3.0).derivative(x).equal(inside * torch.tensor([0.0, 1, 1, 0]))
    theirs = x.clone().requires_grad_()
    snntorch.surrogate.SFS(slope=3.0)(theirs).sum().backward()
    assert error(surrogate.SFS(3.0, legacy=True).derivative(x), theirs.grad) < 1e-6


def test_leaky_spike_operator():
    assert surrogate.LSO(0.2).derivative(torch.tensor([-1.0, 1.0])).tolist() == pytest.approx(
        [0.2, 1.0]
    )


def test_spike_rate_escape_may_be_centred():
    x = GRID.float()
    centred = surrogate.spike_rate_escape(centered=True).derivative(x)
    assert x[centred.argmax()].abs() < 0.01
    assert x[surrogate.spike_rate_escape().derivative(x).argmax()] == pytest.approx(1, abs=0.01)


def test_stochastic_spike_operator():
    kind = surrogate.SSO(mean=0.5, variance=0.2)
    x = torch.cat([torch.ones(10), -torch.ones(10_000)])
    torch.manual_seed(1)
    first = kind.derivative(x)
    torch.manual_seed(1)
    assert first.equal(kind.derivative(x))
    assert (first[:10] == 1).all()
    noise = first[10:]
    assert 0 <= noise.min() and noise.max() <= 0.2
    assert noise.mean() == pytest.approx(0.1, abs=0.005)


@pytest.mark.parametrize(
    "kind",
    [
        surrogate.SSO(),
        surrogate.custom_surrogate(lambda x, grad, spikes: grad * spikes * 2),
        surrogate.SFS(legacy=True),
        surrogate.spike_rate_escape(centered=True),
    ],
    ids=["SSO", "custom", "SFS legacy", "SRE centred"],
)
def test_what_has_no_native_form_runs_in_torch(kind):
    x = torch.randn(10, 3, 5)
    neuron = snn.Leaky(beta=0.9, spike_grad=kind, multi_step=True)
    assert neuron.native_refusal(x) is not None
    wanted, _ = snn.Leaky(beta=0.9, multi_step=True)(x)
    x.requires_grad_()
    spikes, _ = neuron(x)
    assert spikes.equal(wanted.dense())
    spikes.sum().backward()
    assert x.grad.isfinite().all()


def test_custom_surrogate_gets_input_gradient_and_spikes():
    seen = []

    def half(x, grad, spikes):
        seen.append((x, grad, spikes))
        return grad / 2

    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    surrogate.custom_surrogate(half)(x).backward(torch.tensor([3.0, 4.0]))
    assert x.grad.tolist() == [1.5, 2.0]
    assert [y.tolist() for y in seen[0]] == [[-1, 2], [3, 4], [0, 1]]


def test_any_function_may_be_a_surrogate():
    x = torch.randn(10, 3, 5, requires_grad=True)
    theirs = snn.Leaky(beta=0.9, spike_grad=snntorch.surrogate.atan(), multi_step=True)
    spikes, _ = theirs(x)
    spikes.sum().backward()
    other = x.detach().clone().requires_grad_()
    snn.Leaky(beta=0.9, multi_step=True)(other)[0].sum().backward()
    assert error(other.grad, x.grad) < 1e-5


@pytest.mark.isa
@pytest.mark.parametrize("kind", SURROGATES, ids=str)
def test_native_derivative(kind):
    # With these numbers, one step's membrane is its input and its gradient is the derivative.
    x = torch.cat([GRID, GRID * 1e-3, GRID * 1e3, torch.tensor([0.0, -0.0])]).float()
    x = x.requires_grad_()
    neuron = snn.Leaky(beta=0.0, threshold=0.0, spike_grad=kind)
    assert neuron.native_refusal(x) is None
    spikes, _ = neuron(x, torch.zeros_like(x))
    spikes.sum().backward()
    wanted = kind.derivative(x.detach().double())
    assert (x.grad - wanted).abs().max() <= 4e-7 * wanted.abs().max()


class Smooth(torch.autograd.Function):
    """The primitive forward, the surrogate's own gradient backward."""

    @staticmethod
    def forward(ctx, x, kind):
        ctx.save_for_backward(x)
        ctx.kind = kind
        return kind.primitive(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return ctx.kind.gradient(x, grad, (x > 0).to(x.dtype)), None


# Where the reset depends on a detached spike, finite differences see what is detached.
@pytest.mark.parametrize("mechanism, delay", [r for r in RESETS if r != ("zero", False)])
@pytest.mark.parametrize(
    "kind", [surrogate.ATan(), surrogate.FastSigmoid(3), surrogate.Sigmoid(3), surrogate.Gaussian()]
)
def test_smooth_twin_passes_gradcheck(kind, mechanism, delay, monkeypatch):
    """Finite differences of a network with primitives in place of steps see our gradients."""
    # The reset flag is detached as well, so it must not depend on the inputs.
    monkeypatch.setattr(
        snn.SpikingNeuron, "mem_reset", lambda self, mem: torch.arange(mem.shape[-1]).double() % 2
    )
    neuron = snn.Leaky(
        beta=torch.tensor([0.8, 0.6, 0.9]),
        threshold=0.6,
        graded_spikes_factor=1.2,
        spike_grad=lambda x: Smooth.apply(x, kind),
        reset_mechanism=mechanism,
        reset_delay=delay,
        learn_beta=True,
        learn_threshold=True,
        learn_graded_spikes_factor=True,
    )
    net = nn.ModuleList([nn.Linear(2, 3), neuron]).double()
    names = [name for name, _ in net.named_parameters()]

    def outputs(x, *parameters):
        values = dict(zip(names, parameters, strict=True))
        weight, bias = values["0.weight"], values["0.bias"]
        constants = {name[2:]: value for name, value in values.items() if name[0] == "1"}
        mem = torch.zeros(1, 3, dtype=torch.float64)
        out = []
        for current in x.unbind(0):
            current = nn.functional.linear(current, weight, bias)
            spikes, mem = torch.func.functional_call(neuron, constants, (current, mem))
            out += [spikes, mem]
        return torch.stack(out)

    x = torch.randn(4, 1, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(outputs, (x, *net.parameters()))
