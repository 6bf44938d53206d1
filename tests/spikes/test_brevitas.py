"""The quantised layers of brevitas, with spikes before and neurons behind them."""

import brevitas.nn as qnn
import pytest
import torch
from brevitas.quant import Int8ActPerTensorFloat
from torch import nn

import bitspike as snn
from bitspike import spikegen
from bitspike.spikes import dense as dense_spikes
from helpers.compare import dense, error, same_bits

PLAIN = dict(bias=True, weight_bit_width=8)
WRAPPED = PLAIN | dict(input_quant=Int8ActPerTensorFloat, return_quant_tensor=True)
OPTIONS = {"weights": PLAIN, "inputs too": WRAPPED}
"""Layers that return tensors, and QuantTensors, which are none."""

both = pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)


def network(options, **neuron):
    neuron = dict(beta=0.9, init_hidden=True) | neuron
    net = nn.Sequential(
        qnn.QuantLinear(784, 40, **options),
        snn.Leaky(**neuron),
        qnn.QuantLinear(40, 10, **options),
        snn.Leaky(**neuron),
    )
    on_the_grid(net[0])
    on_the_grid(net[2])
    # The largest input of the first batch sets the scale of inputs: a spike.
    snn.unroll(net, spikes().dense())
    return net.eval()


def on_the_grid(layer):
    """Makes all numbers multiples of powers of two, so that sums are exact in any order."""
    nn.init.zeros_(layer.bias)
    weight = torch.randint(-127, 128, layer.weight.shape) / 512
    weight[0, 0] = 127 / 512  # the largest sets the scale
    layer.weight.data = weight


def spikes(steps=12):
    return spikegen.rate(torch.rand(5, 784) / 4, num_steps=steps, packed=True)


def results(net, run, x):
    """Outputs and the gradients of weights."""
    net.zero_grad()
    snn.utils.reset(net)
    out = run(net, x)
    assert 0 < dense(out).mean() < 1
    (out * torch.linspace(-1, 1, 10)).sum().backward()
    return [dense(out), *(layer.weight.grad.clone() for layer in (net[0], net[2]))]


def loop(net, x):
    return torch.stack([net(step) for step in x])


def whole(net, x):
    return net(x)


def assert_same(actual, wanted):
    assert same_bits(actual[0], wanted[0])
    for a, w in zip(actual[1:], wanted[1:], strict=True):
        assert w.abs().sum() > 0 and error(a, w) < 1e-6


@both
def test_packed_and_dense_spikes_steps_and_sequences(options):
    x = spikes()
    net = network(options)
    wanted = results(net, loop, x.dense())
    assert_same(results(net, loop, x), wanted)
    assert_same(results(net, snn.unroll, x), wanted)
    sequence = network(options, multi_step=True)
    sequence.load_state_dict(net.state_dict())
    for given in (x, x.dense()):
        assert_same(results(sequence, whole, given), wanted)


def test_packed_spikes_stay_packed():
    net = network(PLAIN, multi_step=True)
    before = snn.unpacked_operations()
    out = net(spikes())
    out.sum().backward()
    assert isinstance(out, snn.SpikeTensor)
    assert snn.unpacked_operations() == before


def test_spikes_of_a_step_are_packed_for_the_next_layer(monkeypatch):
    layer = qnn.QuantLinear(40, 600, **PLAIN)
    on_the_grid(layer)
    x, _ = snn.Leaky(beta=0.9)((torch.rand(64, 40) < 0.1) * 2.0)
    assert type(x) is snn.DenseSpikes
    layers = []
    linear = dense_spikes.linear_of_floats
    monkeypatch.setattr(
        dense_spikes, "linear_of_floats", lambda x, *rest: layers.append(x) or linear(x, *rest)
    )
    result = layer(x)
    assert [type(x) for x in layers] == [snn.DenseSpikes]
    assert same_bits(result, layer(x.as_subclass(torch.Tensor)))


def test_a_quantised_current_is_a_current():
    layer = qnn.QuantLinear(784, 10, **WRAPPED).eval()
    current = layer(torch.rand(5, 784))
    assert not isinstance(current, torch.Tensor)
    for neuron in (snn.Leaky(beta=0.9), snn.Synaptic(0.9, 0.8), snn.LI(beta=0.9)):
        result = neuron(current)
        neuron.reset_mem()
        for a, b in zip(*map(list, (result, neuron(current.value))), strict=True):
            assert same_bits(a, b)


def test_training():
    """The loss falls with weights of 4 bits, from packed spikes."""
    images, labels = torch.rand(20, 784).pow(4), torch.arange(20) % 10
    x = spikegen.rate(images, num_steps=10, packed=True)
    net = nn.Sequential(
        qnn.QuantLinear(784, 10, bias=True, weight_bit_width=4),
        snn.Leaky(beta=0.9, init_hidden=True, multi_step=True),
    )
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        snn.utils.reset(net)
        loss = snn.functional.ce_count_loss()(net(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
