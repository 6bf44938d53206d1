"""First spikes against closed forms, and their gradients against autograd through these."""

import math

import pytest
import torch

from bitspike.learning.exact import FirstSpikeLoss, TTFSLinear

TIMES = torch.tensor([[0.0, 1.0, 2.5]], dtype=torch.float64)
WEIGHTS = torch.tensor([[1.6, 1.4, 1.9]], dtype=torch.float64)


def made(weights, tau_mem, tau_syn, **options):
    layer = TTFSLinear(*weights.t().shape, tau_mem=tau_mem, tau_syn=tau_syn, **options)
    layer.weight = torch.nn.Parameter(weights.clone())
    return layer


def twice(t, w, threshold, tau):
    """``tau_mem = 2·tau_syn``."""
    a, b = (w * (t / (2 * tau)).exp()).sum(), (w * (t / tau).exp()).sum()
    return 2 * tau * (2 * b / (a + (a * a - 4 * b * threshold).sqrt())).log()


def without_leak(t, w, threshold, tau):
    return tau * ((w * (t / tau).exp()).sum() / (w.sum() - threshold)).log()


def first_of(closed, t, w, threshold, tau):
    """Its value for the smallest set of the earliest inputs of which it lies before the next."""
    order = t.detach().argsort()
    t, w = t[order], w[order]
    for count in range(1, len(t) + 1):
        time = closed(t[:count], w[:count], threshold, tau)
        after = t[count] if count < len(t) else math.inf
        if t[count - 1] <= time <= after:
            return time
    return torch.tensor(math.inf, dtype=t.dtype)


@pytest.mark.parametrize(
    ("tau_mem", "tau_syn", "wanted"),
    [(5.0, 5.0, 2.8546009806), (10.0, 5.0, 4.8668439545)],
)
def test_golden_times(tau_mem, tau_syn, wanted):
    assert made(WEIGHTS, tau_mem, tau_syn)(TIMES).item() == pytest.approx(wanted, abs=1e-10)


def test_golden_time_without_leak():
    layer = made(torch.tensor([[1.5, 0.9]], dtype=torch.float64), math.inf, 1.0)
    times = torch.tensor([[0.0, 0.3]], dtype=torch.float64)
    assert layer(times).item() == pytest.approx(0.6622729116, abs=1e-10)


@pytest.mark.parametrize(("closed", "factor"), [(twice, 2.0), (without_leak, math.inf)])
def test_times_and_gradients_of_the_closed_forms(closed, factor):
    torch.manual_seed(1)
    tau, samples, inputs, neurons = 3.0, 5, 8, 6
    x = (10 * torch.rand(samples, inputs, dtype=torch.float64)).requires_grad_()
    layer = made(torch.randn(neurons, inputs, dtype=torch.float64) + 0.8, factor * tau, tau)
    found = layer(x)
    with torch.no_grad():
        rows = [[first_of(closed, t, w, 1.0, tau) for w in layer.weight] for t in x]
    wanted = torch.tensor(rows, dtype=torch.float64)
    fires = wanted < math.inf
    assert fires.any() and not fires.all()
    assert torch.equal(found < math.inf, fires)
    assert torch.allclose(found[fires], wanted[fires], rtol=0, atol=1e-11)

    factors = torch.randn(samples, neurons, dtype=torch.float64)
    gradients = torch.autograd.grad((found * factors)[fires].sum(), (x, layer.weight))
    value = sum(
        factors[b, i] * first_of(closed, x[b], layer.weight[i], 1.0, tau)
        for b, i in fires.nonzero().tolist()
    )
    for found, wanted in zip(gradients, torch.autograd.grad(value, (x, layer.weight)), strict=True):
        assert wanted.abs().max() > 0.1
        assert torch.allclose(found, wanted, rtol=1e-8, atol=1e-10)


def test_a_root_behind_the_next_input_is_none():
    """The first input alone would be enough at 1.6; an inhibitory one comes before."""
    late = made(torch.tensor([[3.0, -9.0]], dtype=torch.float64), math.inf, 5.0)
    assert late(torch.tensor([[0.0, math.inf]])).item() > 2
    assert late(torch.tensor([[0.0, 1.0]])).item() == math.inf


def test_silent_neurons_have_no_gradient():
    layer = made(torch.tensor([[0.1, 0.1], [9.0, 9.0]], dtype=torch.float64), 10.0, 5.0)
    times = layer(torch.tensor([[0.0, 1.0]]))
    assert times[0, 0] == math.inf and times[0, 1] < 3
    FirstSpikeLoss(2.0, 10.0, until=30.0)(times, torch.tensor([1])).backward()
    assert torch.equal(layer.weight.grad[0], torch.zeros(2, dtype=torch.float64))
    assert layer.weight.grad[1].abs().max() > 0


def test_roused_neurons_fire():
    layer = made(torch.tensor([[0.0, 0.0], [9.0, 9.0]], dtype=torch.float64), 10.0, 5.0)
    x = torch.zeros(4, 2)
    for _ in range(11):
        times = layer(x)
        layer.rouse(times, by=0.1)
    assert (times < math.inf).all()
    assert torch.equal(layer.weight[1].detach(), torch.full((2,), 9.0, dtype=torch.float64))


def test_the_loss_by_hand():
    times = torch.tensor([[1.0, 3.0, math.inf]])
    value = FirstSpikeLoss(2.0, 4.0, until=5.0, alpha=0.5)(times, torch.tensor([1]))
    softmax = math.exp(-1.5) / (math.exp(-0.5) + math.exp(-1.5) + math.exp(-2.5))
    assert value.item() == pytest.approx(-math.log(softmax) + 0.5 * (math.exp(0.75) - 1))


def test_two_layers_learn_exclusive_or():
    torch.manual_seed(2)
    first = TTFSLinear(3, 12, tau_mem=10.0, tau_syn=5.0)
    second = TTFSLinear(12, 2, tau_mem=10.0, tau_syn=5.0)
    x = torch.tensor([[0.0, a, b] for a in (0.0, 4.0) for b in (0.0, 4.0)])
    labels = torch.tensor([0, 1, 1, 0])
    loss = FirstSpikeLoss(2.0, 10.0, until=40.0)
    optimizer = torch.optim.Adam([*first.parameters(), *second.parameters()], 0.02)
    values = []
    for _ in range(300):
        optimizer.zero_grad()
        hidden = first(x)
        times = second(hidden)
        value = loss(times, labels)
        value.backward()
        optimizer.step()
        first.rouse(hidden, at_least=0.3)
        second.rouse(times)
        values.append(value.item())
    assert values[-1] < 0.3 * values[0]
    assert torch.equal(second(first(x)).argmin(1), labels)
