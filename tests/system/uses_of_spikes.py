"""Calls of packed spikes, and of what takes them beside weights."""

import torch
from outcome import Use
from torch.nn import functional as F

import bitspike as snn
from bitspike import SpikeTensor

SPIKES = (torch.arange(3 * 2 * 70) * 7 % 11 < 4).float().view(3, 2, 70)
PACKED = SpikeTensor.from_dense(SPIKES)
PLANES = SpikeTensor.from_dense((torch.arange(2 * 3 * 64) * 7 % 11 < 4).float().view(2, 3, 8, 8))
WEIGHT = ((torch.arange(5 * 70) * 7 % 25 - 8) / 8).view(5, 70)
BIAS = torch.tensor([0.25, -0.5, 1.0, 0.0, 2.0])
FILTER = ((torch.arange(2 * 3 * 9) * 7 % 25 - 8) / 8).view(2, 3, 3, 3)
NEURON = snn.Leaky(beta=0.5)
EVENTS = torch.tensor([0, 2, 1])
# What torch multiplies with float32, and what its products and sums are for others.
COMPLEX = ("complex", "conjugated")
# torch multiplies with them, also dense spikes, into memory that nobody writes.
META = ("meta",)
OTHER = ("bool", "int8", "uint8", "uint16", "int64", "float64", "bfloat16", "float16")


def beside(of, parameter, example, call, says, without=()):
    """What else an operation on packed spikes takes: right as for dense ones, or torch's error."""
    return Use(of, parameter, example, call, ".", says=says, without=(*OTHER, *without))


def linear(weight=WEIGHT, bias=None):
    return F.linear(PACKED, weight, bias)


SPIKE_TENSORS = [
    Use(SpikeTensor.from_dense, "dense", SPIKES, SpikeTensor.from_dense, "dense|spikes of dtype"),
    *(
        Use(
            SpikeTensor.from_events,
            name,
            EVENTS % 2 if name == "b" else EVENTS,
            lambda x, name=name: SpikeTensor.from_events(
                **{"t": EVENTS, "b": EVENTS % 2, "n": EVENTS, name: x}, shape=(3, 2, 3)
            ),
            # They must be whole numbers, which the tests cast to floats to compare.
            without=("bool", "int8", "uint8", "uint16", "int64"),
        )
        for name in "tbn"
    ),
    Use(
        SpikeTensor.__new__,
        "words",
        PACKED.words,
        lambda x: SpikeTensor(x, (70,)),
        without=("int64",),  # which they are
    ),
    beside(F.linear, "weight", WEIGHT, linear, "of spikes", META),
    beside(F.linear, "bias", BIAS, lambda x: linear(bias=x), "of spikes", META),
    beside(torch.matmul, "other", WEIGHT.t(), lambda x: PACKED @ x, "of spikes", META),
    beside(torch.add, "other", SPIKES[0] / 2, lambda x: PACKED + x, "to spikes", COMPLEX),
    beside(torch.mul, "other", SPIKES[0] / 2, lambda x: x * PACKED, "with spikes", COMPLEX),
    beside(torch.cat, "tensors", SPIKES, lambda x: torch.cat([PACKED, x]), "with spikes", COMPLEX),
    beside(torch.where, "condition", SPIKES > 0, lambda x: torch.where(x, PACKED, 2.0), "spikes"),
    beside(F.conv2d, "weight", FILTER, lambda x: F.conv2d(PLANES, x), "of spikes", META),
]
"""Errors of torch's own functions are torch's."""

OPERATIONS = {
    "sum": lambda: PACKED.sum(),
    "sum over time": lambda: PACKED.sum(0),
    "mean": lambda: PACKED.mean((0, 1)),
    "count_nonzero": lambda: PACKED.count_nonzero(),
    "dense": PACKED.dense,
    "density": PACKED.density,
    "to_events": PACKED.to_events,
    "to_indices": PACKED.to_indices,
    "a step": lambda: PACKED[1],
    "a step, twice": lambda: PACKED[1] * 2,
    "from_dense": lambda: SpikeTensor.from_dense(SPIKES),
    "linear": lambda: linear(WEIGHT, BIAS),
    "conv2d": lambda: F.conv2d(PLANES, FILTER),
    "max_pool2d": lambda: F.max_pool2d(PLANES, 2),
    "avg_pool2d": lambda: F.avg_pool2d(PLANES, 2),
    "flatten": lambda: PLANES.flatten(1),
    "greater": lambda: PACKED > 0.5,
    "cumsum": lambda: PACKED.cumsum(0),
    "DenseSpikes": lambda: NEURON(SPIKES[0], SPIKES[0])[0].mean(),
}
"""Operations on packed spikes alone."""
