"""Products of spikes with bits: sums of integers, whatever counts or adds them."""

import io

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import quantize, spikegen
from bitspike.ops import _native
from helpers.compare import error, same_bits

KINDS = {"ternary": quantize.Ternary(), "binary": quantize.Binary(), "2 bits": quantize.Integer(2)}
every_kind = pytest.mark.parametrize("form", KINDS.values(), ids=KINDS)


def trains(rows, inputs, density):
    return snn.SpikeTensor.from_dense((torch.rand(rows, inputs) < density).float())


@pytest.fixture(params=(True, False), ids=("counted", "added"))
def way(request, monkeypatch):
    """How sums are made."""
    monkeypatch.setattr(_native, "prefers_planes", lambda *shape: request.param)


@every_kind
@pytest.mark.usefixtures("way", "poisoned")
def test_sums_are_those_of_integers(form):
    for inputs in (1, 3, 63, 64, 65, 127, 128, 130, 300):
        for rows, outputs in ((1, 1), (3, 7), (70, 9), (5, 24)):
            weight = torch.randn(outputs, inputs)
            bias = torch.randn(outputs)
            x = trains(rows, inputs, 0.4)
            integers, scale = quantised = form.quantise(weight)
            layer = quantize.BitLinear(quantised, bias)
            sums = (x.dense().long() @ integers.long().t()).float()
            assert same_bits(layer(x), sums * scale + bias)
            assert same_bits(quantize.BitLinear(quantised)(x), sums * scale)


@every_kind
def test_every_instruction_set_and_number_of_threads(form, force_isa, threads):
    layer = quantize.BitLinear(form.quantise(torch.randn(100, 200)), torch.randn(100))
    x = trains(700, 200, 0.3)
    results = []
    for isa in _native.describe()["isas"]:
        force_isa(isa)
        for count in (1, 2):
            threads(count)
            results.append(layer(x))
    assert len(results) > 2
    assert all(same_bits(result, results[0]) for result in results)


@every_kind
def test_the_density_decides_speed_alone(form):
    layer = quantize.BitLinear(form.quantise(torch.randn(30, 500)), torch.randn(30))
    x = trains(2000, 500, 0.01)
    planes = 1 if layer.negative is None else 2
    assert not _native.prefers_planes(x.words, (2000, 500, 30), planes)
    assert _native.prefers_planes(x.words[:1], (1, 500, 30), planes)
    whole = layer(x)
    for row in (0, 7, 1999):
        assert same_bits(layer(x[row : row + 1])[0], whole[row])
    dense = trains(2000, 500, 0.9)
    assert _native.prefers_planes(dense.words, (2000, 500, 30), planes)


@every_kind
def test_a_layer_in_training_counts_bits_where_nothing_records_it(form):
    layer = quantize.QuantLinear(60, 20, weight_quant=form)
    spikes = spikegen.rate(torch.rand(5, 60), num_steps=12, packed=True)
    bits = quantize.freeze(layer, bits=True)
    assert type(bits) is quantize.BitLinear
    assert type(layer) is quantize.QuantLinear
    before = snn.unpacked_operations()
    with torch.no_grad():
        counted = layer(spikes)
    assert same_bits(counted, bits(spikes))
    integers, scale = layer.integer_weight()
    sums = (spikes.dense().long() @ integers.long().t()).float()
    assert same_bits(counted, sums * scale + layer.bias)
    assert snn.unpacked_operations() == before
    # In training sums are those of floats.
    trained = layer(spikes)
    assert trained.requires_grad and error(trained, counted) < 1e-6
    assert same_bits(trained, quantize.freeze(layer)(spikes))


@every_kind
@torch.no_grad()
def test_steps_and_sequences_have_the_same_bits(form):
    net = nn.Sequential(
        quantize.QuantLinear(60, 40, weight_quant=form),
        snn.Leaky(beta=0.9, init_hidden=True),
        quantize.QuantLinear(40, 20, weight_quant=form),
        snn.Leaky(beta=0.9, init_hidden=True),
    )
    for layer in (net[0], net[2]):
        nn.init.normal_(layer.weight, std=0.3)
    x = spikegen.rate(torch.rand(5, 60), num_steps=12, packed=True)
    wanted = torch.stack([net(step) for step in x])
    assert 0 < wanted.mean() < 1
    for other in (net, quantize.freeze(net, bits=True)):
        snn.utils.reset(other)
        assert same_bits(snn.unroll(other, x), wanted)
        snn.utils.reset(other)
        assert same_bits(torch.stack([other(step) for step in x]), wanted)


@every_kind
def test_other_input_meets_floats(form):
    layer = quantize.QuantLinear(60, 20, weight_quant=form)
    bits, frozen = quantize.freeze(layer, bits=True), quantize.freeze(layer)
    assert error(bits.float_weight(), frozen.weight) == 0
    current = torch.randn(5, 60, requires_grad=True)
    assert error(bits(current), frozen(current)) < 1e-6
    grads = [torch.autograd.grad(f(current).square().sum(), current)[0] for f in (bits, frozen)]
    assert error(*grads) < 1e-5
    # A gradient for spikes as well.
    spikes = trains(5, 60, 0.5).requires_grad_()
    bits(spikes).sum().backward()
    assert error(spikes.grad, frozen.weight.sum(0).expand(5, 60)) < 1e-6
    compiled = torch.compile(bits, fullgraph=True, backend="aot_eager")
    assert error(compiled(current), frozen(current)) < 1e-6
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert bits(current).dtype == torch.bfloat16


def test_numbers_take_a_bit_or_two():
    weight = torch.randn(100, 640)
    for form, bits in ((quantize.Binary(), 1), (quantize.Ternary(), 2)):
        state = quantize.BitLinear(form.quantise(weight), torch.zeros(100)).state_dict()
        size = sum(x.numel() * x.element_size() for x in state.values())
        assert size == bits * 100 * 640 // 8 + 2 * 4 * 100
        saved = io.BytesIO()
        torch.save(state, saved)
        saved.seek(0)
        other = quantize.BitLinear(form.quantise(torch.randn(100, 640)), torch.ones(100))
        other.load_state_dict(torch.load(saved))
        assert error(other.float_weight(), form.values(weight)) < 1e-6


def test_nan_scales_spoil_their_output_alone():
    layer = quantize.QuantLinear(60, 3, weight_quant=quantize.Ternary())
    layer.weight.data[1, 5] = float("nan")
    with torch.no_grad():
        assert layer(trains(4, 60, 0.5)).isnan().tolist() == [[False, True, False]] * 4


def test_hooks_stay():
    layer = quantize.QuantLinear(60, 3, weight_quant=quantize.Binary())
    seen = []
    layer.register_forward_hook(lambda *call: seen.append(call))
    quantize.freeze(layer, bits=True, in_place=True)(trains(4, 60, 0.5))
    assert len(seen) == 1


def test_empty_layers():
    for outputs, inputs in ((0, 5), (5, 0)):
        quantised = quantize.Ternary().quantise(torch.zeros(outputs, inputs))
        out = quantize.BitLinear(quantised, torch.ones(outputs))(trains(2, inputs, 0.5))
        assert same_bits(out, torch.ones(2, outputs))


def test_what_is_no_matrix_of_bits_is_refused():
    for weight in (torch.full((2, 3), 2), torch.ones(2, 3, 1)):
        with pytest.raises(ValueError, match="from -1 to 1"):
            quantize.BitLinear(quantize.Quantised(weight.to(torch.int8), torch.ones(2)))
    layer = quantize.BitLinear(quantize.Binary().quantise(torch.randn(2, 3)))
    with pytest.raises(RuntimeError, match="shapes"):
        layer(trains(2, 4, 0.5))
