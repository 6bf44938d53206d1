"""The surrogates that snnTorch has too, against it."""

import math
from types import SimpleNamespace

import pytest
import snntorch.surrogate
import torch

from bitspike import surrogate
from helpers.compare import error

GRID = torch.linspace(-4.03, 4.01, 2001, dtype=torch.float64)

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
    x, grad = torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([2.0, 3.0, 4.0])
    assert surrogate.LSO(0.2).gradient(x, grad, (x > 0).float()).tolist() == pytest.approx(
        [0.4, 0.6, 4]
    )
    # snnTorch's cannot be called, but has the formula.
    with pytest.raises(TypeError):
        snntorch.surrogate.LSO(slope=0.2)(x)
    context = SimpleNamespace(saved_tensors=((x > 0).float(),), slope=0.2)
    wanted = snntorch.surrogate.LeakySpikeOperator.backward(context, grad)
    assert surrogate.LSO(0.2).gradient(x, grad, (x > 0).float()).equal(wanted)


def test_stochastic_spike_operator():
    gradients = []
    for library in (snntorch.surrogate, surrogate):
        torch.manual_seed(1)
        x = GRID.float().requires_grad_()
        library.SSO(mean=0.1, variance=0.5)(x).sum().backward()
        gradients.append(x.grad)
    assert gradients[0].equal(gradients[1])


def test_custom_surrogate():
    def cubed(input_, grad_input, spikes):
        return grad_input * (input_**3 + spikes)

    gradients = []
    for library in (snntorch.surrogate, surrogate):
        x = GRID.float().requires_grad_()
        library.custom_surrogate(cubed)(x).sum().backward()
        gradients.append(x.grad)
    assert gradients[0].equal(gradients[1])


def test_normalised_arctangent_is_what_snntorch_documents():
    x = GRID.float()
    documented = 1 / (math.pi * (1 + (math.pi * x * 2.0 / 2) ** 2))
    assert error(surrogate.atan(alpha=2.0, normalized=True).derivative(x), documented) < 1e-6


def test_every_name_of_snntorch_is_there():
    public = {name for name in vars(snntorch.surrogate) if not name.startswith("_")}
    assert public - {"torch", "nn", "math"} <= set(vars(surrogate))


def test_spike_rate_escape_may_be_centred():
    x = GRID.float()
    centred = surrogate.spike_rate_escape(centered=True).derivative(x)
    assert x[centred.argmax()].abs() < 0.01
    assert x[surrogate.spike_rate_escape().derivative(x).argmax()] == pytest.approx(1, abs=0.01)
