"""Products with weights of one and two bits: bits counted, weights added, and floats."""

from collections.abc import Iterator
from typing import NamedTuple
from unittest import mock

import torch
from torch import nn

import bitspike as snn
from bitspike import quantize
from record import Options, Part, Row
from timing import interleaved

DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)

NOTES = """
* Time in ms of `R x K` spikes times `[N, K]` weights. *counted*: `quantize.BitLinear`, which counts
  the bits that spikes and weights share, here at every density. *packed*: the same weights as
  floats in an `nn.Linear`, which adds those of the neurons that fire or, where many fire,
  multiplies all. *dense*: PyTorch's product of the same floats. The last two columns say how many
  times as long they took.
* A `BitLinear` counts above the density from which *packed* takes longer, and adds weights below.
* Weights are 1 and -1, or these and 0, so that all sums are exact; they were equal before anything
  was timed.
"""


class Size(NamedTuple):
    """Rows, inputs and outputs of a product."""

    rows: int
    inputs: int
    outputs: int


SIZES = (Size(3200, 256, 256), Size(3200, 512, 512), Size(64, 1024, 1024))
TINY = (Size(8, 70, 5),)


def measure(options: Options) -> Iterator[Row]:
    """Compares the sums, then times the three ways."""
    for size in TINY if options.tiny else SIZES:
        for values in ("binary", "ternary"):
            for density in DENSITIES:
                name = f"{values}, {size.rows} x {size.inputs} x {size.outputs}"
                if options.only in name:
                    yield _row(name, size, values, density, options)


def _row(name: str, size: Size, values: str, density: float, options: Options) -> Row:
    generator = torch.Generator().manual_seed(0)
    lowest = 0 if values == "binary" else -1
    weight = torch.randint(lowest, 2, (size.outputs, size.inputs), generator=generator).float()
    if values == "binary":
        weight = 2 * weight - 1
    spikes = (torch.rand(size.rows, size.inputs, generator=generator) < density).float()
    packed = snn.SpikeTensor.from_dense(spikes)
    integers = quantize.Quantised(weight.to(torch.int8), torch.ones(size.outputs))
    counted, floats = quantize.BitLinear(integers), nn.Linear(size.inputs, size.outputs, bias=False)
    counting = mock.patch("bitspike.ops._native.prefers_planes", return_value=True)
    with torch.no_grad(), counting:
        floats.weight.copy_(weight)
        ways = {
            "counted": lambda: counted(packed),
            "packed": lambda: floats(packed),
            "dense": lambda: floats(spikes),
        }
        expected = spikes @ weight.T
        for way, product in ways.items():
            if not torch.equal(torch.as_tensor(product()), expected):
                raise ValueError(f"{way} gives other sums than PyTorch for {name}")
        times = interleaved(ways, options.rounds)
    return Row(name, "product", times, density_in=density)


PART = Part(
    "Weights of one and two bits",
    ("counted", "packed", "dense"),
    NOTES,
    measure,
)
