"""Calls of the layers between neurons, of scans, and of networks that are unrolled."""

import copy

import torch
from outcome import Use
from torch import nn

import bitspike as snn
from bitspike.scan import linear_scan, outer_scan, reverse_scan

T, B, C = 3, 2, 4
CURRENT = ((torch.arange(T * B * C) * 7 % 11) / 8 - 0.25).view(T, B, C)
DECAY = torch.tensor([0.5, 0.25, 0.75, 1.0])
VARYING = CURRENT.abs() / 2


def layer(made, random=False, without=()):
    """Uses of a layer: of its input, in each of its methods."""
    kind = type(made)
    for method in (kind.forward, getattr(kind, "run_sequence", None)):
        if method is not None:
            yield Use(
                method,
                "x",
                CURRENT,
                lambda x, method=method: method(copy.copy(made), x),
                "x|on the (expected|same) device",
                random,
                kind.__name__,
                without,
            )


def delayed(delay):
    return snn.SynapticDelay(3, delay, channels=C, step_mode=False)(CURRENT)


def stored(patterns):
    memory = snn.Hopfield(C)
    memory.store(patterns)
    return memory.patterns


def attention():
    """A new one for each call, for its neurons keep their states."""
    return snn.SpikingSelfAttention(C, 2).eval()


def ring_of(name):
    return lambda x: getattr(snn.RingAttractor(C, **{name: x}), name)


# Statistics and weights are of float32, and torch takes them with nothing else.
NORMALISED = ("bool", "int8", "uint8", "uint16", "int64", "float64", "vmap")
SSM = snn.SSMBlock(C, 3, threshold=0.4, multi_step=True)
RING, MEMORY = snn.RingAttractor(C), snn.Hopfield(C)
MEMORY.store(torch.tensor([[1, 1, -1, -1], [1, -1, 1, -1]]))
# What becomes of them is tested with neurons.
CONSTANT = ("default float64", "default bfloat16", "default device", "vmap", "func.grad")
WEIGHTS, NEURON = nn.Linear(C, C), snn.Leaky(beta=0.5, init_hidden=True)
FIRST = ("bool", "int8", "uint8", "uint16", "int64", "float64", "bfloat16", "float16")

LAYERS = [
    *layer(snn.BatchNormTT1d(C, T).eval(), without=NORMALISED),
    *layer(snn.tdBN(C).eval(), without=NORMALISED),
    *layer(snn.TEBN(C, T).eval(), without=NORMALISED),
    *layer(snn.SynapticDelay(3, 1.5, step_mode=False)),
    *layer(snn.DelayLinear(C, 2, 3, multi_step=True)),
    Use(
        snn.DelayLinear.__init__,
        "delay",
        torch.full((2, C, 1), 1.5),
        lambda x: snn.DelayLinear(C, 2, 3, delay=x).delay,
        "delay|on the expected device",
        without=("default float64", "default bfloat16", "default device", "vmap", "func.grad"),
    ),
    Use(
        snn.SpikingSelfAttention.forward,
        "x",
        CURRENT,
        lambda x: attention()(x),
        "x|on the (expected|same) device",
        without=(*NORMALISED, *CONSTANT),
    ),
    Use(
        snn.SpikingSelfAttention.run_sequence,
        "x",
        CURRENT.unsqueeze(1),
        lambda x: attention().run_sequence(x),
        "x|on the (expected|same) device",
        without=(*NORMALISED, *CONSTANT),
    ),
    *layer(snn.GradedSpikes(C)),
    *layer(snn.TimeDropout(0.5, multi_step=True), random=True),
    *layer(snn.Residual(nn.Identity(), "ms")),
    *layer(SSM),
    *layer(MEMORY),
    *layer(snn.WTA(2)),
    Use(snn.Hopfield.recall, "x", CURRENT[0], MEMORY.recall, "x|on the (expected|same) device"),
    Use(snn.Hopfield.store, "patterns", CURRENT[0], stored, without=CONSTANT),
    Use(snn.RingAttractor.angle, "activity", CURRENT, RING.angle),
    *(
        Use(snn.RingAttractor.__init__, name, DECAY, ring_of(name), without=CONSTANT)
        for name in ("beta", "threshold")
    ),
    Use(
        snn.SSMBlock.__init__,
        "threshold",
        DECAY,
        lambda x: snn.SSMBlock(C, 3, threshold=x).threshold,
        without=CONSTANT,
    ),
    Use(snn.SSMBlock.current, "x", CURRENT, SSM.current, "x|on the (expected|same) device"),
    Use(
        snn.SynapticDelay.__init__,
        "delay",
        DECAY * 2,
        delayed,
        "delay|on the expected device",
        # Delays are of the default dtype and device.
        without=("default float64", "default bfloat16", "default device", "vmap", "func.grad"),
    ),
    Use(reverse_scan, "x", CURRENT, lambda x: reverse_scan(x, DECAY), "x|the input"),
    Use(reverse_scan, "decay", DECAY, lambda x: reverse_scan(CURRENT, x)),
    Use(linear_scan, "x", CURRENT, lambda x: linear_scan(x, DECAY), "x|the input"),
    Use(linear_scan, "decay", DECAY, lambda x: linear_scan(CURRENT, x)),
    Use(linear_scan, "decay", VARYING, lambda x: linear_scan(CURRENT, x), says="of each step"),
    Use(linear_scan, "initial", CURRENT[0], lambda x: linear_scan(CURRENT, DECAY, x)),
    Use(outer_scan, "value", CURRENT, lambda x: outer_scan(x, VARYING, VARYING), "value|the input"),
    Use(outer_scan, "key", VARYING, lambda x: outer_scan(CURRENT, x, VARYING)),
    Use(outer_scan, "decay", VARYING, lambda x: outer_scan(CURRENT, VARYING, x)),
    Use(
        snn.unroll,
        "x",
        CURRENT,
        lambda x: snn.unroll(nn.Sequential(WEIGHTS, copy.copy(NEURON)), x),
        "x|on the (expected|same) device",
        without=FIRST,
    ),
]
