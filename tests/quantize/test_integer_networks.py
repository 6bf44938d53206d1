"""Networks in integers, against plain integers of 64 bits and against floats."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import quantize
from bitspike.graph import GraphError
from bitspike.quantize.integer.packing import packed

DIGITS = Path(__file__).parents[2] / "rust/core/examples/digits/network.safetensors"
ROUNDINGS = ("nearest", "floor", "toward_zero")


def shifted(x, bits, rounding):
    """``x / 2^bits``, rounded."""
    if rounding == "floor":
        return x // 2**bits
    if rounding == "toward_zero":
        return np.sign(x) * (np.abs(x) // 2**bits)
    return (2 * x + 2**bits) // 2 ** (bits + 1)


def left(u, beta, decay, rounding):
    """What is left of states after a step."""
    if decay == "shift":
        return u - shifted(u, {0.5: 1, 0.75: 2, 0.9375: 4}[beta], rounding)
    return shifted(u * round(beta * 2**15), 15, rounding)


def spikes_of(shape, share=0.3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) < share).float()


def quantised(layer):
    """Integers, bias and scales of a layer, as numpy's integers of 64 bits."""
    integers, scale = quantize.Integer(8).quantise(layer.weight)
    bias = (layer.bias.detach().double() / scale.double()).round()
    return integers.long().numpy(), bias.long().numpy(), scale.double().numpy()


@pytest.mark.isa
@pytest.mark.parametrize("neuron", [snn.Leaky, snn.Synaptic])
@pytest.mark.parametrize(
    ("decay", "rounding", "reset", "delay"),
    list(
        itertools.product(
            ("shift", "multiply"), ROUNDINGS, ("subtract", "zero", "none"), (True, False)
        )
    ),
)
def test_neurons_are_plain_integers(neuron, decay, rounding, reset, delay):
    torch.manual_seed(0)
    synaptic = neuron is snn.Synaptic
    decays = {"alpha": 0.5, "beta": 0.9375} if synaptic else {"beta": 0.75}
    options = {"reset_mechanism": reset, "reset_delay": delay, "threshold": 0.3}
    net = nn.Sequential(nn.Linear(70, 67), neuron(init_hidden=True, **decays, **options))
    x = spikes_of((30, 2, 70))
    exact = quantize.to_integer(net, x[0], decay=decay, shift_round=rounding)
    weight, bias, scale = quantised(net[0])
    threshold = np.round(0.30000001192092896 / scale).astype(np.int64)
    amount = threshold if reset == "subtract" else 0
    stream = snn.stream(exact, batch=2)
    synapse = u = np.zeros((2, 67), np.int64)
    for step in x:
        before = u > threshold
        current = step.long().numpy() @ weight.T + bias
        if synaptic:
            synapse = left(synapse, 0.5, decay, rounding) + current
            current = synapse
        if reset == "zero" and not synaptic:
            u = np.where(before, 0, u)
        u = left(u, decays["beta"], decay, rounding) + current
        if reset == "zero" and synaptic:
            u = np.where(before, 0, u)
        u = u - before * amount
        fired = u > threshold
        if not delay:
            u = u - (fired.astype(np.int64) - before) * amount
            u = np.where(fired & ~before, 0, u) if reset == "zero" else u
        assert np.array_equal(stream(step).numpy(), fired)
        assert np.array_equal(stream.read("1.mem").numpy(), u)
    assert fired.any() and not fired.all()


@pytest.mark.isa
def test_feature_maps_are_plain_integers():
    torch.manual_seed(1)
    lif = {"beta": 0.5, "init_hidden": True, "threshold": 0.2}
    net = nn.Sequential(
        nn.Conv2d(2, 5, 3, padding=1, stride=2),
        nn.MaxPool2d(2),
        snn.Leaky(**lif),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(20, 4),
        snn.LI(beta=0.5, init_hidden=True),
    )
    x = spikes_of((8, 3, 2, 16, 16))
    exact = quantize.to_integer(net, x[0], decay="shift", shift_round="floor")
    out = exact(x)
    conv, linear = (quantised(net[i]) for i in (0, 5))
    u = v = 0
    for t, step in enumerate(x):
        maps = torch.conv2d(
            step.double(), torch.from_numpy(conv[0]).double(), padding=1, stride=2
        ).long() + torch.from_numpy(conv[1]).view(-1, 1, 1)
        maps = torch.max_pool2d(maps.double(), 2).long().numpy()
        theta = np.round(0.20000000298023224 / conv[2]).astype(np.int64).reshape(-1, 1, 1)
        u = u - (u >> 1) + maps - (u > theta) * theta if t else maps
        sums = torch.from_numpy(u > theta).double()
        sums = (torch.nn.functional.avg_pool2d(sums, 2) * 4).long().flatten(1).numpy()
        bias = np.round(net[5].bias.detach().double().numpy() / (linear[2] / 4)).astype(np.int64)
        v = v - (v >> 1) + sums @ linear[0].T + bias if t else sums @ linear[0].T + bias
        expected = torch.from_numpy(v).float() * torch.from_numpy(linear[2] / 4).float()
        assert torch.equal(out[t], expected)
    assert sums.any() and np.abs(v).max() > 50


def test_recurrent_layers_add_both_currents_in_one_unit():
    torch.manual_seed(2)
    net = nn.Sequential(
        nn.Linear(30, 20), snn.RLeaky(beta=0.75, linear_features=20, init_hidden=True)
    )
    x = spikes_of((40, 1, 30), 0.4)
    exact = quantize.to_integer(net, x[0], decay="shift", shift_round="floor")
    scale = torch.maximum(
        *(
            quantize.Integer(8).quantise(layer.weight).scale.double()
            for layer in (net[0], net[1].recurrent)
        )
    )
    weights, biases = zip(
        *(
            (
                (layer.weight.double() / scale.view(-1, 1)).round().long().numpy(),
                (layer.bias.double() / scale).round().long().numpy(),
            )
            for layer in (net[0], net[1].recurrent)
        ),
        strict=True,
    )
    threshold = (1 / scale).round().long().numpy()
    stream = snn.stream(exact)
    u = s = np.zeros((1, 20), np.int64)
    for step in x:
        current = step.long().numpy() @ weights[0].T + biases[0] + s @ weights[1].T + biases[1]
        u = u - (u >> 2) + current - (u > threshold) * threshold
        s = (u > threshold).astype(np.int64)
        assert np.array_equal(stream(step).numpy(), s)
    assert stream.counts().sum() > 10


def test_numbers_come_in_as_integers_or_to_layers_of_floats():
    torch.manual_seed(3)
    lif = {"beta": 0.9, "init_hidden": True}
    net = nn.Sequential(nn.Linear(33, 50), snn.Leaky(**lif), nn.Linear(50, 5), snn.Leaky(**lif))
    x = torch.rand(20, 1, 33)
    mixed = quantize.to_integer(net, x[0])
    assert mixed.dtype("1.mem") == torch.float32 and mixed.dtype("3.mem") == torch.int32
    stream, floats = (
        snn.stream(mixed, names=["1.spikes"]),
        snn.stream(net, x[0], names=["1.spikes"]),
    )
    assert all(torch.equal(stream(step), floats(step)) for step in x)

    exact = quantize.to_integer(net, x[0], input_scale=0.125, input_range=(0, 6))
    stream = snn.stream(exact, names=["0"])
    weight, _, scale = quantised(net[0])
    bias = (net[0].bias.detach().double() / (torch.from_numpy(scale) * 0.125)).round().long()
    for step in [*x, torch.full((1, 33), torch.nan), torch.full((1, 33), -torch.inf)]:
        integers = (step.nan_to_num(0) / 0.125).round().clamp(0, 6).long()
        assert torch.equal(stream(step).long(), integers @ torch.from_numpy(weight).T + bias)


def test_floats_with_the_same_weights_differ_in_few_spikes():
    torch.manual_seed(4)
    lif = {"beta": 0.9, "init_hidden": True}
    net = nn.Sequential(
        quantize.QuantLinear(100, 200),
        snn.Leaky(**lif),
        quantize.QuantLinear(200, 100),
        snn.Leaky(**lif),
    )
    with torch.no_grad():
        for i in (0, 2):
            net[i].weight.mul_(4)
    x = spikes_of((100, 8, 100))
    exact = quantize.to_integer(net, x[0])
    assert torch.equal(exact.scales["1.mem"].float(), net[0].integer_weight().scale)
    names = ["1.spikes", "3.spikes"]
    streams = [
        snn.stream(run, *args, batch=8, names=names) for run, *args in ((exact,), (net, x[0]))
    ]
    flips = torch.zeros(2)
    for step in x:
        found, expected = (stream(step) for stream in streams)
        flips += torch.stack(
            [(a != b).float().mean() for a, b in zip(found, expected, strict=True)]
        )
    # States of layer 1 are rounded to some 300 units a threshold; layer 2 sees its flips as well.
    assert flips[0] / len(x) < 0.01 and flips[1] / len(x) < 0.05, flips / len(x)
    assert 0.02 < expected[1].mean() < 0.5


def test_a_file_of_integers_runs_as_it_did(tmp_path):
    torch.manual_seed(5)
    net = nn.Sequential(nn.Linear(70, 40), snn.Leaky(beta=0.9, init_hidden=True))
    x = spikes_of((12, 2, 70))
    exact = quantize.to_integer(net, x[0])
    exact.save(tmp_path / "small")
    snn.verify(tmp_path / "small")
    loaded = snn.load_network(tmp_path / "small")
    stream = snn.stream(loaded, batch=2)
    assert torch.equal(torch.stack([stream(step) for step in x]), exact(x))
    with pytest.raises(GraphError, match="in integers"):
        loaded.module()
    snn.save_network(net, tmp_path / "large", x[0])
    small, large = ((tmp_path / name).stat().st_size for name in ("small", "large"))
    assert large - small > 2.8 * 70 * 40


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_few_bits_lie_side_by_side_and_states_are_as_fine_as_with_eight(bits):
    torch.manual_seed(6)
    net = nn.Sequential(nn.Linear(71, 30, bias=False), snn.Leaky(beta=0.5, init_hidden=True))
    form = quantize.Integer(bits, narrow_range=False)
    integers = torch.randint(-(2 ** (bits - 1)), 2 ** (bits - 1), (30, 71))
    integers[:, 0] = -(2 ** (bits - 1))
    net[0].weight.data = integers.float()
    stored, found, shift = packed((integers << 8 - bits).to(torch.int8))
    assert (found, shift) == (bits, 8 - bits)
    assert stored.numel() == 30 * -(-71 * bits // 8)
    x = spikes_of((5, 1, 71))
    exact = quantize.to_integer(net, x[0], weight_quant=form)
    stream = snn.stream(exact, names=["0"])
    for step in x:
        assert torch.equal(stream(step).long() >> 8 - bits, step.long() @ integers.T)
    assert torch.equal(exact.scales["0"], torch.full((30,), 2.0 ** (bits - 8), dtype=torch.float64))


def test_eight_bits_know_the_digits():
    net = snn.load_network(DIGITS).module()
    x, labels = snn.tasks.digits().test.tensors
    x = x.flatten(1).expand(25, -1, -1)
    exact = quantize.to_integer(net, x, input_scale=1 / 16, input_range=(0, 16))
    with torch.no_grad():
        right = [(run(x).sum(0).argmax(1) == labels).float().mean().item() for run in (net, exact)]
    assert right[0] > 0.95 and right[1] >= right[0] - 0.003


LIF = {"beta": 0.9, "init_hidden": True}


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Linear(4, 3), snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True)], "alpha has no form"),
        (
            [nn.Linear(4, 3), snn.Leaky(reset_mechanism="subtract_beta", **LIF)],
            "subtract_beta|decayed",
        ),
        ([snn.Leaky(**LIF)], "put a linear layer"),
    ],
)
def test_what_has_no_form_is_refused_with_the_way_out(layers, message):
    with pytest.raises(GraphError, match=message):
        quantize.to_integer(nn.Sequential(*layers), torch.zeros(1, 4))


def test_what_could_overflow_is_refused_with_its_neuron():
    net = nn.Sequential(nn.Linear(300, 3), snn.Leaky(beta=1 - 2**-17, init_hidden=True))
    with pytest.raises(ValueError, match=r"1\.spikes.*neuron \d may reach"):
        quantize.to_integer(net, torch.zeros(1, 300), decay="shift")
    net[1] = snn.Leaky(beta=torch.tensor([0.5, 0.75, 0.5]), init_hidden=True)
    with pytest.raises(GraphError, match="take decay='multiply'"):
        quantize.to_integer(net, torch.zeros(1, 300), decay="shift")
    net[1] = snn.Leaky(beta=0.5, threshold=-1.0, init_hidden=True)
    with pytest.raises(ValueError, match=r"1\.spikes: thresholds"):
        quantize.to_integer(net, torch.zeros(1, 300))
    with pytest.raises(ValueError, match="no option 'beta'"):
        quantize.to_integer(net, torch.zeros(1, 300), beta=1)
    net[0].weight.data[0, 0] = torch.nan
    with pytest.raises(ValueError, match=r"0\.weight: .*NaN"):
        quantize.to_integer(net, torch.zeros(1, 300))
