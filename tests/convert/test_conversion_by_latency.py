"""Networks in which every neuron fires once, at the time that its activation says."""

import math

import pytest
import torch
from torch import nn

from bitspike import convert
from helpers.rectifiers import CNN, Residual, digits, mlp, settled, trained


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sizes", [(12, 30, 20, 5), (40, 100, 3), (7, 30, 30, 30, 30, 4)], ids=str)
def test_it_equals_random_networks_of_rectifiers(seed, sizes):
    ann = mlp(seed, sizes)
    x = torch.rand(50, sizes[0])
    net = convert.ann_to_ttfs(ann, [x])
    with torch.no_grad():
        assert (net(x) - ann(x)).abs().max() < 1e-5


@pytest.mark.parametrize("kind", [CNN, Residual])
def test_it_equals_convolutional_networks(kind):
    ann = settled(kind(), (1, 8, 8))
    x = torch.rand(30, 1, 8, 8)
    net = convert.ann_to_ttfs(ann, [x])
    with torch.no_grad():
        assert (net(x) - ann(x)).abs().max() < 1e-5


def test_every_neuron_fires_once_or_not_at_all_within_its_window():
    ann, x = mlp(0), torch.rand(50, 12)
    net = convert.ann_to_ttfs(ann, [x])
    times = net.times(x)
    assert list(times) == ["input", "1", "3"]
    with torch.no_grad():
        active = {"input": x, "1": ann[:2](x), "3": ann[:4](x)}
    for name, window in net.windows.items():
        fires = times[name].isfinite()
        assert torch.equal(fires, active[name] > 0)
        assert ((times[name] >= window.start) & (times[name] < window.end))[fires].all()
        assert torch.allclose((window.end - times[name])[fires], active[name][fires], atol=1e-5)
    ends = [window.end for window in net.windows.values()]
    assert [window.start for window in net.windows.values()] == [0, *ends[:-1]]


def simulated(weights, biases, times, before, window, steps=200_000):
    """When membranes reach their thresholds, found by following them on a fine grid of time."""
    dt = (window.end - before.start) / steps
    threshold = window.length - biases
    mem, fired = torch.zeros(len(weights), dtype=torch.float64), torch.full_like(biases, math.inf)
    clock = before.start + dt * torch.arange(steps, dtype=torch.float64)
    arrived = (times <= clock.unsqueeze(1)).double() * (clock < before.end).unsqueeze(1)
    slopes = arrived @ weights.T + (clock >= before.end).double().unsqueeze(1)
    mem = (slopes * dt).cumsum(0)
    above = (mem >= threshold) & (clock >= window.start).unsqueeze(1)
    for neuron in range(len(weights)):
        first = above[:, neuron].nonzero()
        if len(first):
            fired[neuron] = clock[first[0, 0]]
    return fired


def test_membranes_that_are_followed_through_time_reach_their_thresholds_then():
    ann, x = mlp(3, (5, 6, 2)), torch.rand(1, 5)
    net = convert.ann_to_ttfs(ann, [x])
    times = net.times(x)
    layer = ann[0].double()
    found = simulated(
        layer.weight.detach(),
        layer.bias.detach(),
        times["input"][0].double(),
        net.windows["input"],
        net.windows["1"],
    )
    expected = times["1"][0].double()
    assert torch.equal(found.isfinite(), expected.isfinite())
    fires = found.isfinite()
    assert fires.any() and not fires.all()
    assert torch.allclose(found[fires], expected[fires], atol=1e-4)


@pytest.mark.parametrize("dt", [0.2, 0.05, 0.01])
@pytest.mark.parametrize("program", ["mlp", "cnn", "residual"])
def test_a_grid_changes_no_more_than_its_bound(program, dt):
    torch.manual_seed(0)
    ann = {"mlp": mlp, "cnn": CNN, "residual": Residual}[program]()
    ann = ann if program == "mlp" else settled(ann, (1, 8, 8))
    x = torch.rand(40, 12) if program == "mlp" else torch.rand(40, 1, 8, 8)
    net = convert.ann_to_ttfs(ann, [x], dt=dt)
    with torch.no_grad():
        error, bound = (net(x) - ann(x)).abs(), net.bound(x)
    assert (error <= bound + 1e-5).all()
    assert float(error.max()) > 1e-3 * dt
    for name, times in net.times(x).items():
        fired = times[times.isfinite()]
        steps = (fired - net.windows[name].start) / dt
        assert torch.allclose(steps, steps.round(), atol=1e-3)


def test_the_bound_of_a_grid_by_hand():
    ann = nn.Sequential(nn.Linear(2, 1), nn.ReLU(), nn.Linear(1, 1))
    ann[0].weight.data, ann[2].weight.data = torch.tensor([[3.0, -1.0]]), torch.tensor([[-2.0]])
    x = torch.rand(10, 2)
    net = convert.ann_to_ttfs(ann, [x], dt=0.1)
    # Half a step, times 3 + 1, and another half, times 2.
    assert net.bound(x).item() == pytest.approx((0.05 * 4 + 0.05) * 2)
    assert convert.ann_to_ttfs(ann, [x]).bound(x).item() == 0


def test_a_max_pool_passes_on_the_earliest_spike():
    ann = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
    x = torch.rand(5, 1, 8, 8)
    net = convert.ann_to_ttfs(ann, [x])
    earliest = -nn.MaxPool2d(2)(-net.times(x)["1"])
    with torch.no_grad():
        values = (net.windows["1"].end - earliest).clamp(min=0).flatten(1)
        assert torch.allclose(net(x), values, atol=1e-5)
        assert torch.allclose(net(x), ann(x), atol=1e-5)


def test_activations_beyond_their_window_fire_when_it_begins():
    ann = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())
    nn.init.ones_(ann[0].weight)
    net = convert.ann_to_ttfs(ann, [torch.tensor([[1.0]])], headroom=0.5, inputs="current")
    assert net(torch.tensor([[1.2], [7.0], [-1.0]])).flatten().tolist() == pytest.approx(
        [1.2, 1.5, 0]
    )
    assert net.times(torch.tensor([[7.0]]))["1"].item() == net.windows["1"].start == 0


def test_rectifiers_with_a_limit_have_a_window_of_its_length():
    ann = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU6(), nn.Linear(1, 1))
    nn.init.constant_(ann[0].weight, 10.0)
    x = torch.rand(20, 1)
    net = convert.ann_to_ttfs(ann, [x])
    assert net.windows["1"].length == 6
    with torch.no_grad():
        assert torch.allclose(net(x), ann(x), atol=1e-5)


def test_gradients_are_those_of_the_model():
    ann, x = mlp(0), torch.rand(6, 12, requires_grad=True)
    net = convert.ann_to_ttfs(ann, [2 * x.detach()])
    (ours,) = torch.autograd.grad(net(x).square().sum(), x)
    (theirs,) = torch.autograd.grad(ann(x).square().sum(), x)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_digits_are_read_as_before():
    ann = trained("mlp")
    x = digits()[2]
    net = convert.ann_to_ttfs(ann, [x], dt=1 / 64)
    with torch.no_grad():
        agree = (net(x).argmax(1) == ann(x).argmax(1)).float().mean()
    assert agree > 0.99


def test_negative_inputs_are_currents():
    ann, x = mlp(0), torch.randn(9, 12)
    with pytest.raises(convert.ConversionError, match=r"input: .* pass inputs='current'"):
        convert.ann_to_ttfs(ann, [x])
    net = convert.ann_to_ttfs(ann, [x], inputs="current")
    assert list(net.windows) == ["1", "3"]
    with torch.no_grad():
        assert (net(x) - ann(x)).abs().max() < 1e-5


def test_what_times_cannot_say_is_refused():
    x = torch.rand(9, 12)
    net = convert.ann_to_ttfs(mlp(0), [x])
    with pytest.raises(ValueError, match="x must be from 0 to"):
        net(2 * x)
    with pytest.raises(convert.ConversionError, match="1: QCFS counts spikes"):
        convert.ann_to_ttfs(nn.Sequential(nn.Linear(12, 3), convert.QCFS()), [x])
    with pytest.raises(ValueError, match="dt must be a positive number"):
        convert.ann_to_ttfs(mlp(0), [x], dt=0.0)
    with pytest.raises(ValueError, match="headroom must not be negative"):
        convert.ann_to_ttfs(mlp(0), [x], headroom=-0.1)
    with pytest.raises(ValueError, match="inputs must be one of"):
        convert.ann_to_ttfs(mlp(0), [x], inputs="spikes")
    pooled = nn.Sequential(nn.Conv2d(1, 2, 3), nn.MaxPool2d(2), nn.Conv2d(2, 2, 1), nn.ReLU())
    with pytest.raises(convert.ConversionError, match="1: a max pool picks the earliest"):
        convert.ann_to_ttfs(pooled, [torch.rand(2, 1, 8, 8)])
