"""Layers with many spikes, delays and a way back: golden values and finite differences."""

import math

import pytest
import torch

import bitspike as snn
from bitspike.learning.exact import EventLIF, EventTensor

GOLDEN_WEIGHTS = torch.tensor([[3.2, 2.9, 4.1, 2.5]], dtype=torch.float64)
GOLDEN_DELAYS = torch.tensor([[2.0, 4.0, 1.0, 3.0]], dtype=torch.float64)
GOLDEN_TIMES = torch.tensor([[1.0, 3.0, 6.0, 20.0]], dtype=torch.float64)


def made(*sizes, tau_mem=20.0, tau_syn=5.0, **options):
    layer = EventLIF(*sizes, tau_mem=tau_mem, tau_syn=tau_syn, **options).double()
    for name, parameter in layer.named_parameters():
        if name == "recurrent_weight":
            torch.nn.init.normal_(parameter, 0.0, 0.5)
    return layer


def test_golden_spikes_and_gradients():
    layer = made(4, 1, delays="learn")
    layer.weight.data, layer.delay.data = GOLDEN_WEIGHTS.clone(), GOLDEN_DELAYS.clone()
    fired = layer(EventTensor.from_times(GOLDEN_TIMES))
    wanted = torch.tensor([8.9311323, 25.6351513], dtype=torch.float64)
    assert torch.allclose(fired.times, wanted, rtol=0, atol=1e-7)
    fired.times.sum().backward()
    wanted = torch.tensor([[-4.0710051, -4.1580826, -4.1580826, -2.8102462]], dtype=torch.float64)
    assert torch.allclose(layer.weight.grad, wanted, rtol=0, atol=1e-6)
    wanted = torch.tensor([[-0.2621295, 0.1821174, 0.2574763, 1.8225357]], dtype=torch.float64)
    assert torch.allclose(layer.delay.grad, wanted, rtol=0, atol=1e-6)


@pytest.mark.parametrize("tau_mem", [5.0, 12.0, math.inf])
@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("delays", [None, "learn"])
def test_gradients_of_all_parameters(tau_mem, recurrent, delays):
    torch.manual_seed(0)
    layer = made(
        6, 5, tau_mem=tau_mem, delays=delays, recurrent=recurrent, until=40.0, max_spikes=4
    )
    names, parameters = zip(*layer.named_parameters(), strict=True)
    times = (10 * torch.rand(3, 6, dtype=torch.float64)).requires_grad_()
    factors = torch.randn(200, dtype=torch.float64)

    def value(times, *parameters):
        given = dict(zip(names, parameters, strict=True))
        fired = torch.func.functional_call(layer, given, (EventTensor.from_times(times),))
        return (fired.times * factors[: len(fired.times)]).sum()

    fired = layer(EventTensor.from_times(times))
    assert (fired.counts() > 1).any()
    assert torch.autograd.gradcheck(value, (times, *parameters), eps=1e-7, atol=1e-4, rtol=1e-3)


def test_gradients_pass_from_layer_to_layer():
    torch.manual_seed(1)
    layers = torch.nn.ModuleList([made(4, 8, until=60.0), made(8, 3, until=60.0)])
    times = (8 * torch.rand(2, 4, dtype=torch.float64)).requires_grad_()

    def value(times, weight):
        first = torch.func.functional_call(
            layers[0], {"weight": weight}, (EventTensor.from_times(times),)
        )
        return layers[1](first).times.sum()

    assert len(layers[1](layers[0](EventTensor.from_times(times))).times) > 3
    inputs = (times, layers[0].weight)
    assert torch.autograd.gradcheck(value, inputs, eps=1e-7, atol=1e-4, rtol=1e-3)


def test_threads_change_no_bit():
    torch.manual_seed(0)
    layer = made(40, 50, recurrent=False, until=30.0)
    x = EventTensor.from_times(10 * torch.rand(64, 40, dtype=torch.float64))
    results = []
    before = torch.get_num_threads()
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        layer.zero_grad()
        fired = layer(x)
        fired.times.square().sum().backward()
        results.append((fired.times.detach(), layer.weight.grad.clone()))
    torch.set_num_threads(before)
    assert all(torch.equal(a, b) for r in results[1:] for a, b in zip(r, results[0], strict=True))


def test_spikes_of_a_grid_and_back():
    spikes = snn.SpikeTensor.from_dense((torch.rand(7, 3, 70) < 0.2).float())
    events = EventTensor.from_spikes(spikes, dt=0.1)
    assert torch.equal(events.to_spikes(0.1, 7).dense(), spikes.dense())
    assert torch.equal(events.counts(), spikes.dense().sum(0).long())
    again = EventTensor.from_times(events.first())
    assert torch.equal(again.first(), events.first())


def test_no_samples_no_inputs_and_no_spikes():
    layer = made(3, 2)
    for times in (torch.zeros(0, 3), torch.full((2, 3), math.inf)):
        fired = layer(EventTensor.from_times(times))
        fired.times.sum().backward()
        assert fired.first().shape == (len(times), 2) and len(fired.times) == 0
    assert layer.weight.grad.abs().sum() == 0


def test_a_neuron_that_would_never_stop_is_silent_after_max_spikes():
    layer = made(1, 2, recurrent=True, max_spikes=20)
    layer.weight.data.fill_(9.0)
    layer.recurrent_weight.data.fill_(9.0)
    fired = layer(EventTensor.from_times(torch.zeros(1, 1)))
    assert fired.counts().tolist() == [[20, 20]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tau_mem": 0.0}, "tau_mem must be positive"),
        ({"tau_syn": math.inf}, "tau_syn must be positive and finite"),
        ({"threshold": -1.0}, "threshold must be positive"),
        ({"max_spikes": 0}, "max_spikes must be at least 1"),
        ({"delays": "many"}, 'delays must be None, "fixed" or "learn"'),
    ],
)
def test_constants_that_make_no_sense(change, message):
    with pytest.raises(ValueError, match=message):
        EventLIF(2, 2, **({"tau_mem": 10.0, "tau_syn": 5.0} | change))


def test_what_is_refused():
    layer = made(3, 2, delays="learn")
    with pytest.raises(ValueError, match="the events are of 4 neurons, the layer has 3 inputs"):
        layer(EventTensor.from_times(torch.rand(1, 4)))
    with pytest.raises(ValueError, match=r"times must be \[B, N\]"):
        EventTensor.from_times(torch.rand(3))
    with pytest.raises(ValueError, match="times must be finite"):
        EventTensor.from_times(torch.tensor([[math.nan]]))
    backwards = EventTensor.from_times(torch.rand(1, 3))
    with pytest.raises(ValueError, match="of sample 0 must be finite and ascend"):
        layer(backwards._replace(times=backwards.times.flip(0)))
    layer.delay.data.fill_(-1)
    with pytest.raises(ValueError, match="delay must not be negative"):
        layer(EventTensor.from_times(torch.rand(1, 3)))
    layer.clamp_delays()
    layer(EventTensor.from_times(torch.rand(1, 3)))
