"""An unmodified ``nn.Conv2d`` on packed spikes, beside torch's on floats in both layouts."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

import bitspike as snn
import gate
from peers import Result, Step
from problem import dyadic, weight_deviation
from record import Options, Part, Row
from timing import interleaved


class Maps(NamedTuple):
    """A convolution and the maps that it reads."""

    inputs: int
    outputs: int
    kernel: int
    size: int
    rows: int
    """Steps times samples."""
    padding: int = 0

    def __str__(self) -> str:
        """Its name in tables."""
        window = f"{self.kernel}×{self.kernel}"
        return f"{self.inputs}→{self.outputs} {window}, {self.size}×{self.size}, R={self.rows}"


LAYERS = (
    Maps(32, 64, 3, 28, 512, padding=1),
    Maps(64, 128, 3, 14, 512, padding=1),
    Maps(2, 12, 5, 34, 320),
    Maps(12, 32, 5, 15, 320),
)
TINY = Maps(2, 5, 3, 8, 6)
DENSITIES = (0.01, 0.02, 0.05, 0.10, 0.20, 0.40, 1.00)
# A gradient of a bias sums some 100,000 numbers of both signs, in another order in each layout.
SAME_SUMS = 1e-4
FORWARD, WITH_GRADIENT = "forward", "forward, gradient of weight and bias"
NOTES = """
* Milliseconds are medians of alternating rounds, ± half the distance between the quartiles. The
  other columns say how many times as long a peer took: above 1, bitspike is faster.
* R maps of Bernoulli spikes, R = T·B. All run the same `nn.Conv2d`: bitspike on a `SpikeTensor`,
  torch on floats, contiguous (NCHW) and `channels_last` (NHWC, filters too). The 3×3 windows have
  padding 1. Gradients of the output are dense and lie as the output of each does.
* Outputs and gradients were compared before anything was timed; filters are dyadic, so that outputs
  are equal in all bits.
"""


class Filter(NamedTuple):
    """What all libraries compute with."""

    weight: Tensor
    bias: Tensor
    x: Tensor
    grad: Tensor


def drawn(maps: Maps, density: float) -> Filter:
    """Bernoulli spikes, normally distributed filters and gradients."""
    generator = torch.Generator().manual_seed(0)
    size = maps.size + 2 * maps.padding - maps.kernel + 1
    window = (maps.inputs, maps.kernel, maps.kernel)
    deviation = weight_deviation(maps.inputs * maps.kernel**2, density)
    x = torch.rand(maps.rows, maps.inputs, maps.size, maps.size, generator=generator) < density
    return Filter(
        dyadic(deviation * torch.randn(maps.outputs, *window, generator=generator)),
        dyadic(torch.randn(maps.outputs, generator=generator)),
        x.float(),
        torch.randn(maps.rows, maps.outputs, size, size, generator=generator),
    )


def step(maps: Maps, filter: Filter, x: Tensor, layout: torch.memory_format, task: str) -> Step:
    """One call of a layer whose filters and gradients lie in ``layout``."""
    layer = nn.Conv2d(maps.inputs, maps.outputs, maps.kernel, padding=maps.padding)
    with torch.no_grad():
        layer.weight.copy_(filter.weight)
        layer.bias.copy_(filter.bias)
    layer = layer.to(memory_format=layout)
    grad = filter.grad.contiguous(memory_format=layout)

    def forward() -> Result:
        with torch.no_grad():
            return Result(layer(x), [])

    def both() -> Result:
        out = layer(x)
        return Result(out, torch.autograd.grad(out, [layer.weight, layer.bias], grad))

    return forward if task == FORWARD else both


def steps(maps: Maps, density: float, task: str) -> dict[str, Callable[[], Result]]:
    """Of all libraries. Bits are turned into floats, and floats into a layout, outside of them."""
    filter = drawn(maps, density)
    plain, last = torch.contiguous_format, torch.channels_last
    packed = snn.SpikeTensor.from_dense(filter.x, 3)
    return {
        # Its currents come out with their channels last, and so do gradients come back.
        "bitspike": step(maps, filter, packed, last, task),
        "torch NCHW": step(maps, filter, filter.x, plain, task),
        "torch NHWC": step(maps, filter, filter.x.contiguous(memory_format=last), last, task),
    }


def measure(options: Options) -> Iterator[Row]:
    """Compares the results of each layer at each density, then times them."""
    for maps in (TINY,) if options.tiny else LAYERS:
        for task in (FORWARD, WITH_GRADIENT):
            for density in DENSITIES if options.only in str(maps) else ():
                yield row(maps, density, task, options.rounds)


def row(maps: Maps, density: float, task: str, rounds: int) -> Row:
    """Compares the results of a layer, then times them."""
    compared = steps(maps, density, task)
    ours, *others = (step() for step in compared.values())
    for theirs in others:
        gate.compare(ours, theirs, exact=True, same_spikes=SAME_SUMS)
    return Row(str(maps), task, interleaved(compared, rounds), density_in=density)


PART = Part("Convolutions of spikes", ("bitspike", "torch NCHW", "torch NHWC"), NOTES, measure)
