"""Calls of layers and formats of few bits."""

import copy

import torch
from outcome import Use
from torch import nn

import bitspike as snn
from bitspike import quantize

N = 4
WEIGHT = torch.tensor([[0.5, -0.25, 0.0, 1.0], [0.75, 0.5, -1.0, 0.25], [0.0, 0.25, 0.5, -0.5]])
BIAS = torch.tensor([0.5, -0.25, 0.0])
CURRENT = ((torch.arange(2 * N * 6 * 6) * 7 % 11) / 8 - 0.25).view(2, N, 6, 6)
BINARY = quantize.Binary().quantise(WEIGHT)
LINEAR = quantize.QuantLinear(N, 3, weight_bit_width=4)
LINEAR.load_state_dict({"weight": WEIGHT, "bias": BIAS})
BITS = quantize.QuantLinear(N, 3, weight_quant=quantize.Ternary())
BITS.load_state_dict({"weight": WEIGHT, "bias": BIAS})
LAYERS = (
    (LINEAR, CURRENT[..., 0, :N]),
    (BITS, CURRENT[..., 0, :N]),
    (quantize.freeze(BITS, bits=True), CURRENT[..., 0, :N]),
    (quantize.QuantConv1d(N, 3, 3), CURRENT[..., 0, :]),
    (quantize.QuantConv2d(N, 3, 3), CURRENT),
)
# Weights are of float32, and torch takes them with nothing else.
MIXED = r"input|arguments to linear|dtype|[Ii]nput type|device"
NETWORK = nn.Sequential(nn.Linear(N, 3), snn.Leaky(beta=0.5, init_hidden=True))


INTEGERS = quantize.to_integer(NETWORK, torch.zeros(1, N))
SPIKES = (CURRENT[:, :, 0, :N] > 0.25).float()
DTYPES = ("bool", "int8", "uint8", "uint16", "int64", "float64", "bfloat16", "float16")
# What a sample that runs through a network says is what its layers say.
OF_A_LAYER = "sample|input is|linear"


def converted(x):
    return quantize.to_integer(NETWORK, x)(SPIKES)


def scales(x):
    net = quantize.post_training(copy.deepcopy(NETWORK), 8, x=x, first=8)
    return net[0].integer_weight()


def layers():
    for i, (layer, example) in enumerate(LAYERS):
        yield Use(type(layer).forward, "input", example, layer, MIXED, says=str(i))


def formats():
    scale, learned = torch.tensor([0.25, 0.5, 0.125]), quantize.Integer(4, learned=True)
    yield Use(quantize.Format.values, "scale", scale, lambda x: learned.values(WEIGHT, x))
    yield Use(quantize.Scaled.quantise, "scale", scale, lambda x: learned.quantise(WEIGHT, x))
    for form in (quantize.Integer(4), quantize.Ternary(), quantize.Binary(), quantize.Float()):
        yield Use(type(form).values, "weight", WEIGHT, form.values, says=str(form))
        if isinstance(form, quantize.Scaled):
            yield Use(type(form).quantise, "weight", WEIGHT, form.quantise, says=str(form))


def biased(x):
    return quantize.BitLinear(BINARY, x).bias


# It looks at other numbers, and runs a network.
RUNS = ("fake", "func.grad")
QUANTISATION = [
    *layers(),
    *formats(),
    Use(quantize.BitLinear.__init__, "bias", BIAS, biased, without=RUNS[:1]),
    Use(
        quantize.to_integer,
        "sample",
        SPIKES[1],
        converted,
        OF_A_LAYER,
        without=(*DTYPES, "func.grad"),
    ),
    Use(quantize.IntegerNetwork.__call__, "x", SPIKES, INTEGERS, "x|the input", without=RUNS[1:]),
    Use(quantize.post_training, "x", CURRENT[:, 0, 0, :N], scales, rf"x|{MIXED}", without=RUNS),
]
