"""Noise and functions of the user's own; what has no native form runs in torch."""

import pytest
import snntorch.surrogate
import torch

import bitspike as snn
from bitspike import surrogate
from helpers.compare import error


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
        surrogate.atan(normalized=True),
        surrogate.Learnable(surrogate.atan()),
    ],
    ids=["SSO", "custom", "SFS legacy", "SRE centred", "atan normalised", "learnable"],
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
