"""Formats of weights: values, integers and gradients."""

import brevitas.nn as qnn
import pytest
import torch
from torch import nn

from bitspike import quantize
from helpers.compare import error, same_bits

FORMATS = {
    **{f"{bits} bits": quantize.Integer(bits) for bits in (8, 4, 2)},
    "one scale": quantize.Integer(4, per_channel=False),
    "one lower": quantize.Integer(4, narrow_range=False),
    "ternary": quantize.Ternary(),
    "ternary, one scale": quantize.Ternary(per_channel=False),
    "binary": quantize.Binary(),
    "binary, one scale": quantize.Binary(per_channel=False),
}
every_format = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)

WEIGHT = torch.tensor([[0.5, -1.0, 0.13], [0.0, 0.02, -0.01]])


def gradient(form, weight, grad, scale=None):
    weight = weight.clone().requires_grad_()
    form.values(weight, scale).backward(grad)
    return weight.grad


def test_integers_by_hand():
    integers, scale = quantize.Integer(4).quantise(WEIGHT)
    # Scales are 1/7 and 0.02/7: 3.5 is not reached in float32, 0.91 and -3.5 are.
    assert integers.dtype == torch.int8
    assert integers.tolist() == [[3, -7, 1], [0, 7, -4]]
    assert same_bits(scale, torch.tensor([1.0, 0.02]) / 7)


def test_one_scale_and_one_integer_more_by_hand():
    form = quantize.Integer(2, per_channel=False, narrow_range=False)
    integers, scale = form.quantise(torch.tensor([[0.6, -1.0], [0.2, 1.0]]))
    assert scale.tolist() == [0.5, 0.5]
    assert integers.tolist() == [[1, -2], [0, 1]]


def test_halves_go_to_the_even_integer():
    form = quantize.Integer(4)
    weight = torch.tensor([[0.5, 1.5, 2.5, -0.5, -1.5, 7.0]])
    assert form.values(weight).tolist() == [[0, 2, 2, 0, -2, 7]]


def test_ternary_by_hand():
    weight = torch.tensor([[1.0, -0.5, 0.2, 0.3], [0.0, 0.0, 0.0, 0.0]])
    # Above 0.7 · 0.5 are 1 and -0.5, whose mean is 0.75.
    wanted = torch.tensor([[0.75, -0.75, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert quantize.Ternary().values(weight).equal(wanted)
    # Above 0.7 · 0.25 are all four of the first row, of mean 0.5.
    shared = quantize.Ternary(per_channel=False)
    assert shared.values(weight).tolist() == [[0.5, -0.5, 0.5, 0.5], [0, 0, 0, 0]]


def test_binary_by_hand():
    weight = torch.tensor([[1.0, -0.5, 0.0, -0.0], [2.0, 2.0, -2.0, 2.0]])
    wanted = [[0.375, -0.375, 0.375, 0.375], [2.0, 2.0, -2.0, 2.0]]
    assert quantize.Binary().values(weight).tolist() == wanted


def test_floats_of_16_bits():
    weight = torch.randn(3, 5)
    assert quantize.Float().values(weight).equal(weight.bfloat16().float())
    assert quantize.Float(torch.float16).values(weight).equal(weight.half().float())
    grad = torch.randn(3, 5)
    assert gradient(quantize.Float(), weight, grad).equal(grad)


@pytest.mark.parametrize("per_channel", (False, True))
@pytest.mark.parametrize("narrow", (True, False))
@pytest.mark.parametrize("bits", (8, 4, 2))
def test_numbers_of_brevitas(bits, narrow, per_channel):
    layer = qnn.QuantLinear(
        *(40, 30),
        bias=True,
        weight_bit_width=bits,
        weight_narrow_range=narrow,
        weight_scaling_per_output_channel=per_channel,
    )
    theirs = layer.quant_weight()
    form = quantize.Integer(bits, per_channel=per_channel, narrow_range=narrow)
    integers, scale = form.quantise(layer.weight)
    assert integers.equal(theirs.int().to(torch.int8))
    assert same_bits(scale, theirs.scale.flatten().expand(30))
    ours = form.values(layer.weight)
    assert same_bits(ours, theirs.value)
    assert quantize.Quantised(integers, scale).values().equal(ours)
    if narrow:
        # Theirs goes through the scale to the largest weights as well.
        grad = torch.randn(30, 40)
        (to_theirs,) = torch.autograd.grad(theirs.value, layer.weight, grad)
        magnitudes = layer.weight.abs()
        largest = magnitudes.amax(1, keepdim=True) if per_channel else magnitudes.max()
        apart = magnitudes != largest
        assert error(gradient(form, layer.weight.detach(), grad)[apart], to_theirs[apart]) < 1e-6


@every_format
def test_what_is_in_a_format_stays(form):
    weight = torch.randn(6, 50, 3)
    once = form.values(weight)
    integers, scale = form.quantise(weight)
    if form == FORMATS["one lower"]:
        # Only a learned scale stays: the largest weight, clipped, would make it smaller.
        assert form.quantise(once, scale).integers.equal(integers)
    else:
        again = form.quantise(once)
        assert again.integers.equal(integers)
        assert error(again.scale, scale) < 1e-6
    assert quantize.Quantised(integers, scale).values().equal(once)


@every_format
def test_a_rounded_weight_is_near(form):
    weight = torch.randn(6, 50)
    scale = form.quantise(weight).scale.unsqueeze(1)
    rest = (form.values(weight) - weight).abs()
    if isinstance(form, quantize.Integer):
        # Up to half a step; a step where the largest weight is one integer too high.
        assert bool((rest <= (0.5 if form.narrow_range else 1) * scale * (1 + 1e-5)).all())
    else:
        assert rest.square().sum() < 0.5 * weight.square().sum()


def test_the_gradient_passes_in_the_range_alone():
    grad = torch.randn(1, 4, dtype=torch.float64)
    weight = torch.tensor([[0.6, 2.0, -2.0, 0.1]], dtype=torch.float64)
    assert gradient(quantize.Integer(4), weight, grad).equal(grad)
    # Steps are 1, and integers go from -2 to 1: the largest weight lies outside.
    wide = quantize.Integer(2, narrow_range=False)
    inside = torch.tensor([[1.0, 0.0, 1.0, 1.0]])
    assert gradient(wide, weight, grad).equal(grad * inside)
    for form in (quantize.Ternary(), quantize.Binary()):
        assert gradient(form, weight, grad).equal(grad * torch.tensor([[1.0, 0.0, 0.0, 1.0]]))


def test_the_gradient_of_a_learned_scale_by_hand():
    form = quantize.Integer(4, learned=True)  # from -7 to 7
    scale = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    weight = torch.tensor([[0.6, -9.0, 9.0, -0.2]], dtype=torch.float64)  # 1.2 -18 18 -0.4
    grad = torch.tensor([[1.0, 10.0, 100.0, 1000.0]], dtype=torch.float64)
    assert form.values(weight, scale).tolist() == [[0.5, -3.5, 3.5, 0.0]]
    assert gradient(form, weight, grad, scale).tolist() == [[1.0, 0.0, 0.0, 1000.0]]
    wanted = (1 * -0.2 + 10 * -7 + 100 * 7 + 1000 * 0.4) / (4 * 7) ** 0.5
    assert error(scale.grad, torch.tensor([wanted], dtype=torch.float64)) < 1e-14


@pytest.mark.parametrize("per_channel", (False, True))
def test_the_gradient_of_a_learned_scale_is_that_of_rounding_straight_through(per_channel):
    form = quantize.Integer(4, per_channel=per_channel, learned=True, narrow_range=False)
    weight = torch.randn(5, 8, 3, dtype=torch.float64)
    grad = torch.randn_like(weight)
    scale = form.first_scale(weight).requires_grad_()
    assert scale.shape == ((5,) if per_channel else (1,))
    form.values(weight, scale).backward(grad)
    plain = scale.detach().clone().requires_grad_()
    steps = (weight / plain.view(-1, 1, 1)).clamp(-8, 7)
    ((steps + (steps.round() - steps).detach()) * plain.view(-1, 1, 1)).backward(grad)
    shared = 24 if per_channel else 120
    assert error(scale.grad, plain.grad / (shared * 7) ** 0.5) < 1e-12


def test_a_learned_scale_begins_with_the_mean():
    weight = torch.tensor([[1.0, -3.0], [0.0, 0.0]])
    scale = quantize.Integer(4, learned=True).first_scale(weight)
    assert error(scale, torch.tensor([4 / 7**0.5, 1e-10])) < 1e-6


@every_format
def test_nan_spoils_the_weights_that_share_its_scale(form):
    weight = torch.randn(3, 4)
    weight[1, 2] = float("nan")
    spoilt = form.values(weight).isnan()
    if form.per_channel:
        assert spoilt.tolist() == [[False] * 4, [True] * 4, [False] * 4]
    else:
        assert spoilt.all()
    with pytest.raises(ValueError, match="infinite or NaN"):
        form.quantise(weight)


@every_format
def test_silent_outputs_and_empty_weights(form):
    weight = torch.randn(3, 4)
    weight[1] = 0
    values = form.values(weight)
    assert values.isfinite().all()
    if form != FORMATS["binary, one scale"]:
        assert values[1].tolist() == [0.0] * 4
    for shape in ((0, 4), (4, 0), (0, 0), (4, 0, 3)):
        empty = torch.zeros(shape, requires_grad=True)
        form.values(empty).sum().backward()
        assert empty.grad.shape == shape
        assert form.quantise(empty).scale.shape == shape[:1]


@every_format
def test_scales_of_weights_of_16_bits_are_those_of_floats(form):
    weight = torch.randn(4, 30).bfloat16()
    assert same_bits(form.values(weight), form.values(weight.float()).bfloat16())
    assert form.quantise(weight).integers.equal(form.quantise(weight.float()).integers)


@every_format
def test_a_weight_is_never_changed(form):
    weight = nn.Parameter(torch.randn(4, 30))
    before = weight.detach().clone()
    form.values(weight).sum().backward()
    assert weight.equal(before) and weight.grad is not None


def test_what_is_no_format_is_refused():
    with pytest.raises(ValueError, match="8, 4 or 2 bits, not 3: take the next wider one"):
        quantize.Integer(3)
    with pytest.raises(ValueError, match="not True"):
        quantize.Integer(True)
    with pytest.raises(ValueError, match="bfloat16 or torch.float16"):
        quantize.Float(torch.float32)
    learned = quantize.Integer(4, learned=True)
    with pytest.raises(ValueError, match=r"scale must be \(2,\), or \(1,\), for .* not \(3,\)"):
        learned.values(WEIGHT, torch.ones(3))
    one = torch.ones(1, requires_grad=True)
    learned.values(WEIGHT, one).sum().backward()  # one scale may serve all outputs
    assert one.grad.shape == (1,)
    with pytest.raises(ValueError, match=r"weight must be \[outputs, \*\], not \(3,\)"):
        quantize.Integer().quantise(torch.zeros(3))
