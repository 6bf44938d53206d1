"""Surrogate gradients: against their primitives, by hand, and against the native module."""

import math

import pytest
import torch

import bitspike as snn
from bitspike import surrogate
from helpers.compare import SURROGATES

GRID = torch.linspace(-4.03, 4.01, 2001, dtype=torch.float64)

OTHERS = (
    surrogate.ATan(0.7),
    surrogate.Gaussian(2.0),
    surrogate.Boxcar(0.3),
    surrogate.MultiGaussian(0.4, 2.0, 0.7),
    surrogate.Tanh(3.0),
    surrogate.PiecewiseQuadratic(2.5),
    surrogate.logistic(),
)
IN_TORCH = (
    surrogate.ATan(normalized=True),
    surrogate.SparseFastSigmoid(legacy=True),
    surrogate.SpikeRateEscape(centered=True),
)


@pytest.mark.parametrize("kind", (*SURROGATES, *OTHERS, *IN_TORCH), ids=str)
def test_derivative_is_that_of_the_primitive(kind):
    x = GRID.clone().requires_grad_()
    (wanted,) = torch.autograd.grad(kind.primitive(x).sum(), x)
    assert (kind.derivative(GRID) - wanted).abs().max() < 1e-9 * wanted.abs().max().clamp(min=1)


INTEGRALS = {
    surrogate.ATan(): 1,
    surrogate.ATan(normalized=True): 1 / math.pi,
    surrogate.FastSigmoid(): 2 / 25,
    surrogate.SuperSpike(): 2 / 100,
    surrogate.Sigmoid(): 1,
    surrogate.logistic(): 1,
    surrogate.Triangle(0.7): 1,
    surrogate.Boxcar(0.7): 1,
    surrogate.Gaussian(0.7): 1,
    surrogate.MultiGaussian(): 1 - 0.15,
    surrogate.Tanh(3.0): 2 / 3,
    surrogate.Erfc(): 1,
    surrogate.PiecewiseQuadratic(3.0): 1,
    surrogate.PiecewiseExp(3.0): 1,
    surrogate.SpikeRateEscape(2.0, 5.0): 5,
}


@pytest.mark.parametrize("kind", INTEGRALS, ids=str)
def test_integral(kind):
    # x = tan(φ) reaches both ends, so that no tail is cut off.
    phi = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000 * math.pi - math.pi / 2
    integral = (kind.derivative(phi.tan()) / phi.cos() ** 2).mean() * math.pi
    assert integral == pytest.approx(INTEGRALS[kind], rel=1e-5)


BY_HAND = {
    surrogate.ATan(2.0): (0, 1.0),
    surrogate.ATan(2.0, normalized=True): (1 / math.pi, 0.5 / math.pi),
    surrogate.SuperSpike(): (0.01, 0.25),
    surrogate.Tanh(0.5): (1, 1 - math.tanh(0.5) ** 2),
    surrogate.Erfc(): (0.5, 2 / math.sqrt(math.pi) / math.e),
    surrogate.PiecewiseQuadratic(2.0): (0.25, 1.0),
    surrogate.PiecewiseExp(2.0): (-0.5, 1 / math.e),
    surrogate.logistic(): (math.log(2), 2 / 9),
    # Peak (1 + h)/(σ√2π) less two lobes of height e^(-1/8)/(2σ√2π) each.
    surrogate.MultiGaussian(0.5, 2.0, 1.0): (
        0,
        (1.5 - 0.5 * math.exp(-1 / 8)) / math.sqrt(2 * math.pi),
    ),
}


@pytest.mark.parametrize("kind", BY_HAND, ids=str)
def test_by_hand(kind):
    x, wanted = BY_HAND[kind]
    at = torch.tensor(x, dtype=torch.float64)
    assert kind.derivative(at).item() == pytest.approx(wanted, rel=1e-12)


def test_the_same_shapes_by_other_parameters():
    for one, other in (
        (surrogate.Erfc(2.0), surrogate.Gaussian(1 / math.sqrt(8))),
        (surrogate.PiecewiseQuadratic(4.0), surrogate.Triangle(0.25)),
        (surrogate.SuperSpike(25), surrogate.FastSigmoid()),
        (surrogate.logistic(25), surrogate.Sigmoid()),
    ):
        assert torch.allclose(one.derivative(GRID), other.derivative(GRID), rtol=1e-12, atol=0)


def test_tanh_keeps_its_digits():
    x = torch.tensor([8.0, 20.0])
    exact = 1 / torch.cosh(x.double()) ** 2
    assert torch.allclose(surrogate.Tanh().derivative(x).double(), exact, rtol=1e-6, atol=0)


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
