"""Widths that are learned with the weights."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import surrogate
from helpers.compare import SURROGATES
from helpers.smooth import Smooth, numbers_of

WITH_NUMBERS = [kind for kind in SURROGATES if numbers_of(kind)]


@pytest.mark.parametrize("kind", WITH_NUMBERS, ids=str)
def test_spikes_and_their_gradient_are_the_surrogates(kind):
    x = torch.linspace(-3, 3, 1001, requires_grad=True)
    twin = x.detach().clone().requires_grad_()
    spikes, wanted = surrogate.Learnable(kind)(x), kind(twin)
    assert spikes.equal(wanted) and spikes.dtype == x.dtype
    grad = torch.randn_like(x)
    spikes.backward(grad)
    wanted.backward(grad)
    assert torch.allclose(x.grad, twin.grad, rtol=2e-6, atol=0)


@pytest.mark.parametrize("kind", WITH_NUMBERS, ids=str)
def test_numbers_get_the_gradient_of_the_primitive(kind):
    x = torch.randn(20, dtype=torch.float64, requires_grad=True)
    values = [getattr(kind, name) for name in numbers_of(kind)]
    numbers = [torch.tensor(float(v), dtype=torch.float64, requires_grad=True) for v in values]
    assert torch.autograd.gradcheck(lambda x, *n: Smooth.apply(x, kind, *n), (x, *numbers))


@pytest.mark.parametrize("delay", [True, False])
def test_through_a_network(delay, monkeypatch):
    monkeypatch.setattr(
        snn.SpikingNeuron, "mem_reset", lambda self, mem: torch.arange(mem.shape[-1]).double() % 2
    )
    kind = surrogate.ATan(1.3)

    def membranes(x, alpha):
        def spike(x):
            return Smooth.apply(x, kind, alpha)

        neuron = snn.Leaky(beta=0.8, spike_grad=spike, reset_delay=delay).double()
        second = snn.Leaky(beta=0.7, spike_grad=spike, reset_delay=delay).double()
        mem = last = torch.zeros(3, dtype=torch.float64)
        for current in x.unbind(0):
            spikes, mem = neuron(current, mem)
            _, last = second(spikes, last)
        return last

    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    alpha = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(membranes, (x, alpha))


def test_by_hand():
    # d/dα arctan(π·α·x/2)/π = (x/2) / (1 + (π·α·x/2)²): at α = 2, x = 1/π that is 1/4π.
    learnable = surrogate.Learnable(surrogate.ATan(2.0))
    learnable(torch.tensor([1 / math.pi])).backward(torch.tensor([3.0]))
    assert learnable.alpha.grad.item() == pytest.approx(3 / (4 * math.pi))


def test_a_neuron_has_it_as_a_submodule():
    neuron = snn.Leaky(beta=0.9, spike_grad=surrogate.Learnable(surrogate.SFS(20.0, B=0.5)))
    assert set(neuron.state_dict()) - set(snn.Leaky(beta=0.9).state_dict()) == {
        "spike_grad.slope",
        "spike_grad.B",
    }
    other = snn.Leaky(beta=0.9, spike_grad=surrogate.Learnable(surrogate.SFS()))
    other.load_state_dict(neuron.state_dict())
    assert other.spike_grad.frozen() == surrogate.SFS(20.0, 0.5)
    assert neuron.double().spike_grad.B.dtype == torch.float64
    for twin in (copy.deepcopy(neuron), pickle.loads(pickle.dumps(neuron))):
        assert twin.spike_grad.frozen() == surrogate.SFS(20.0, 0.5)
        assert twin.spike_grad.slope is not neuron.spike_grad.slope


def test_it_is_learned():
    """A width that lets a silent neuron's gradient through grows if firing is wanted."""
    learnable = surrogate.Learnable(surrogate.FastSigmoid(5.0))
    neuron = snn.Leaky(beta=0.9, spike_grad=learnable, multi_step=True)
    optimiser = torch.optim.SGD(learnable.parameters(), lr=1.0)
    x = torch.full((10, 2, 3), 0.05)
    for _ in range(5):
        spikes, _ = neuron(x)
        optimiser.zero_grad()
        (-spikes.sum()).backward()
        optimiser.step()
    # x/(1 + k|x|) is below 0 here, so a larger slope brings it closer to 0.
    assert learnable.slope > 5


def test_frozen_runs_natively(strict):
    learnable = surrogate.Learnable(surrogate.SpikeRateEscape(2.0, 10.0))
    assert learnable.frozen() == surrogate.SpikeRateEscape(2.0, 10.0)
    neuron = snn.Leaky(beta=0.9, spike_grad=learnable.frozen(), multi_step=True)
    neuron(torch.rand(5, 2, 3))


def test_half_precision_and_infinities():
    learnable = surrogate.Learnable(surrogate.ATan())
    x = torch.tensor([-math.inf, -1.0, 1.0, math.inf], dtype=torch.bfloat16)
    spikes = learnable(x)
    assert spikes.dtype == x.dtype and spikes.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled(backend):
    learnable = surrogate.Learnable(surrogate.ATan())
    neuron = snn.Leaky(beta=0.9, spike_grad=learnable)
    compiled = torch.compile(neuron, backend=backend, fullgraph=True)
    gradients = []
    for call in (neuron, compiled):
        x = torch.linspace(-1, 3, 8, requires_grad=True)
        learnable.zero_grad()
        spikes, _ = call(x, torch.zeros(8))
        spikes.sum().backward()
        gradients.append((x.grad, learnable.alpha.grad))
    for eager, other in zip(*gradients, strict=True):
        assert torch.allclose(eager, other)


def test_errors():
    for kind in (torch.relu, surrogate.SSO(), surrogate.ATan):
        with pytest.raises(TypeError, match="kind must be a surrogate with a primitive"):
            surrogate.Learnable(kind)
    with pytest.raises(ValueError, match="Heaviside.* has no numbers to learn"):
        surrogate.Learnable(surrogate.Heaviside())


def test_in_a_network_of_both_kinds():
    neuron = snn.Leaky(beta=0.9, multi_step=True, spike_grad=surrogate.Learnable(surrogate.Tanh()))
    net = nn.Sequential(nn.Linear(4, 4), snn.Leaky(beta=0.9, multi_step=True, init_hidden=True))
    spikes, _ = neuron(net(torch.randn(6, 2, 4)))
    spikes.sum().backward()
    assert net[0].weight.grad.isfinite().all() and neuron.spike_grad.alpha.grad.isfinite()
