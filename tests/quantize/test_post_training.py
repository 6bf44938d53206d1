"""Scales for weights that are trained."""

import pytest
import torch
from torch import nn

import bitspike as snn
from bitspike import quantize
from helpers.compare import same_bits

FORMATS = {
    **{f"{bits} bits": quantize.Integer(bits) for bits in (8, 4, 2)},
    "one scale": quantize.Integer(4, per_channel=False),
    "one lower": quantize.Integer(4, narrow_range=False),
}
every_format = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)
every_search = pytest.mark.parametrize("search", ("max", "mse"))


def network(threshold=1.0, outputs=20):
    net = nn.Sequential(
        nn.Linear(30, outputs), snn.Leaky(beta=0.9, init_hidden=True, threshold=threshold)
    )
    nn.init.normal_(net[0].weight, std=0.4)
    return net


def quantised(net, form, **options):
    return quantize.post_training(net, form, first=form, **options)


X = torch.zeros(1, 30)


def loss(net, weight):
    return (net[0].quant_weight() - weight).square().flatten(1).sum(1)


@every_format
def test_the_largest_weight_is_at_the_end_of_the_range(form):
    net = network()
    few = quantised(net, form)
    integers, scale = few[0].integer_weight()
    weight = net[0].weight
    rest = (few[0].quant_weight() - weight).abs()
    # Nothing is clipped, and scales have 16 bits.
    assert bool((rest <= 0.5 * scale.unsqueeze(1) * (1 + 1e-4)).all())
    ends = integers.amax(1) == form.highest
    ends |= integers.amin(1) == form.lowest
    assert ends.all() if form.per_channel else ends.any()
    assert (integers.double() * scale.double().unsqueeze(1)).equal(few[0].quant_weight().double())
    assert net[0].weight is weight and type(net[0]) is nn.Linear


@pytest.mark.parametrize("bits", (4, 2))
def test_the_search_finds_smaller_errors(bits):
    net = network()
    form = quantize.Integer(bits)
    by_max, by_error = (loss(quantised(net, form, search=x), net[0].weight) for x in ("max", "mse"))
    assert bool((by_error <= by_max).all())
    assert by_error.sum() < 0.9 * by_max.sum()


def test_the_search_by_hand():
    """Two bits: with a scale of 1 the small weights are lost, with 0.5 half of the large one."""
    net = network(outputs=1)
    net[0].weight.data.fill_(0.4)
    net[0].weight.data[0, 0] = 1.0
    form = quantize.Integer(2)
    assert quantised(net, form)[0].integer_weight().integers.sum() == 1
    found = quantised(net, form, search="mse")[0].integer_weight()
    # The mean, 0.42, has the least error, and scales are hundredths of 1.
    assert found.integers.sum() == 30 and found.scale.item() == pytest.approx(0.42, abs=1e-4)


@every_format
@every_search
def test_doing_it_again_changes_nothing(form, search):
    once = quantised(network(), form, search=search)
    weight = once[0].quant_weight()
    for again in (quantised(once, form, search=search), quantised(quantize.freeze(once), form)):
        assert same_bits(again[0].quant_weight() + 0.0, weight + 0.0)
    frozen = quantised(quantize.freeze(once), form, search=search)
    assert same_bits(frozen[0].quant_weight() + 0.0, weight + 0.0)


@every_format
@every_search
@pytest.mark.parametrize("threshold", (1.0, 0.3, 7.0))
def test_thresholds_are_whole_numbers_of_steps(form, search, threshold):
    net = network(threshold)
    once = quantised(net, form, search=search, x=X)
    scale = once[0].integer_weight().scale
    steps = threshold / scale.double()
    assert bool(((steps - steps.round()).abs() < 1e-6 * steps).all())
    # The next larger number of steps would have clipped.
    plain = quantised(net, form, search=search)[0].integer_weight().scale
    assert bool((scale >= plain * (1 - 1e-5)).all() | (steps.round() == 1).all())
    assert bool((threshold / (steps.round() + 1) < plain).all())
    frozen = quantised(quantize.freeze(once), form, search=search, x=X)
    assert frozen[0].integer_weight().integers.equal(once[0].integer_weight().integers)


def test_thresholds_of_single_neurons():
    threshold = torch.linspace(0.5, 2, 20)
    few = quantised(network(threshold), quantize.Integer(8), x=X)
    steps = threshold / few[0].integer_weight().scale
    assert bool(((steps - steps.round()).abs() < 1e-6 * steps).all())


def test_thresholds_behind_maps_and_of_recurrent_layers():
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        snn.Leaky(beta=0.9, init_hidden=True, threshold=torch.tensor([1.0, 2, 3, 4]).view(4, 1, 1)),
        nn.Flatten(),
        nn.Linear(36, 6),
        nn.Dropout(),
        snn.RLeaky(beta=0.9, linear_features=6, init_hidden=True, threshold=0.7),
        nn.Linear(6, 2),
    )
    few = quantize.post_training(net, 8, x=torch.rand(2, 1, 5, 5), first=8, last=8)
    layers = {0: torch.tensor([1.0, 2, 3, 4]), 3: 0.7}
    for i, threshold in layers.items():
        steps = threshold / few[i].integer_weight().scale
        assert bool(((steps - steps.round()).abs() < 1e-6 * steps).all())
    steps = 0.7 / few[5].recurrent.integer_weight().scale
    assert bool(((steps - steps.round()).abs() < 1e-6 * steps).all())
    # No neuron follows the last layer.
    plain = quantize.post_training(net, 8, first=8, last=8)
    assert few[6].weight_scale.equal(plain[6].weight_scale)


def test_training_goes_on_from_the_scales():
    few = quantised(network(), quantize.Integer(4), search="mse")
    before = few[0].weight_scale.detach().clone()
    optimizer = torch.optim.SGD(few.parameters(), lr=0.1)
    few(torch.rand(4, 30)).sum().backward()
    optimizer.step()
    assert not few[0].weight_scale.equal(before)


def test_formats_without_a_search_stay_what_they_are():
    for form in (quantize.Ternary(), quantize.Binary(), quantize.Float()):
        few = quantised(network(), form, search="mse", x=X)
        assert few[0].weight_quant == form and few[0].weight_scale is None


def test_silent_channels_and_tiny_weights():
    net = network()
    net[0].weight.data[3] = 0
    net[0].weight.data[4] *= 1e-9
    few = quantised(net, quantize.Integer(8), x=X)
    integers, scale = few[0].integer_weight()
    assert not integers[3].any() and scale.isfinite().all()
    # Thresholds have room in integers.
    assert bool((1 / scale <= 2**20).all())


def test_what_cannot_be_quantised_is_refused():
    with pytest.raises(ValueError, match="search must be one of 'max', 'mse', not 'min'"):
        quantised(network(), quantize.Integer(8), search="min")
    net = network()
    net[0].weight.data[0, 0] = float("nan")
    with pytest.raises(ValueError, match="0: its weight has values that are infinite or NaN"):
        quantised(net, quantize.Integer(8))
    one = quantize.Integer(8, per_channel=False)
    with pytest.raises(ValueError, match=r"0: thresholds \(20,\) are not one for each of 1 scales"):
        quantised(network(torch.linspace(0.5, 2, 20)), one, x=X)
    with pytest.raises(ValueError, match="0: its neurons have thresholds that are not positive"):
        quantised(network(0.0), one, x=X)
    with pytest.raises(TypeError, match="frist"):
        quantize.post_training(network(), 8, frist=8)
