"""One sample that comes step by step: a Python loop around three layers, without gradient."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from spikingjelly.activation_based import functional as jelly
from torch import Tensor, nn

import bitspike as snn
import contenders
import gate
import leaky
from nets import STREAM, Start, start
from networks import COMPILED, LIMIT, within
from peers import Result
from record import Options, Part, Row
from timing import Sample, interleaved

NOTES = """
* Time of one step of one sample in µs or ms, overhead of the Python loop included: medians of
  alternating rounds of a whole stream, ± half the distance between the quartiles. The other columns
  say how many times as long a peer took.
* Input comes as floats and leaves as floats. Each library keeps its states in its modules, except
  for snnTorch, which returns them. SpikingJelly: single-step. Products: the `nn.Linear` alone.
* Spikes of bitspike and snnTorch were compared before anything was timed, and are equal.
"""

Run = Callable[[], object]


def bitspike(begun: Start) -> Callable[[], Tensor]:
    """Single steps, states inside."""
    net = nn.Sequential(*begun.modules(_single))

    def run() -> Tensor:
        snn.utils.reset(net)
        return torch.stack([net(current) for current in begun.x])

    return run


def _single() -> nn.Module:
    neuron = leaky.bitspike()
    neuron.multi_step = False
    return neuron


def snntorch_loop(begun: Start, compiled: bool = False) -> Callable[[], Tensor]:
    """States go in and out."""
    contender = contenders.snntorch_loop(begun, compiled)
    return partial(contender.run, contender.x)


def spikingjelly(begun: Start) -> Callable[[], Tensor]:
    """Single-step mode."""
    net = nn.Sequential(*begun.modules(leaky.spikingjelly))
    jelly.set_step_mode(net, "s")

    def run() -> Tensor:
        jelly.reset_net(net)
        return torch.stack([net(current) for current in begun.x])

    return run


def products(begun: Start) -> Callable[[], Tensor]:
    """No neuron."""
    net = nn.Sequential(*begun.modules(nn.Identity))
    return lambda: torch.stack([net(current) for current in begun.x])


@torch.no_grad()
def measure(options: Options) -> Iterator[Row]:
    """Compares the spikes of a stream, then times it."""
    if options.only not in str(STREAM):
        return
    begun = start(STREAM.tiny()._replace(batch=1) if options.tiny else STREAM)
    missing: dict[str, str] = {}
    runs: dict[str, Run] = {"bitspike": bitspike(begun), "snnTorch": snntorch_loop(begun)}
    ours, theirs = (Result(run(), []) for run in runs.values())
    flips = {"snnTorch": gate.compare(ours, theirs, exact=True)}
    if not options.tiny:
        torch.compiler.reset()
        compiled = snntorch_loop(begun, compiled=True)
        try:
            within(LIMIT, compiled)
            runs[COMPILED] = compiled
        except Exception as error:  # whatever the compiler gives up with
            missing[COMPILED] = f"{type(error).__name__} within {LIMIT} s of compiling"
    runs["SpikingJelly"] = spikingjelly(begun)
    runs["products"] = products(begun)
    steps = begun.network.steps
    samples = {
        name: Sample(tuple(seconds / steps for seconds in sample.values))
        for name, sample in interleaved(runs, options.rounds).items()
    }
    yield Row(
        str(STREAM),
        "one step of a stream",
        samples,
        density_in=begun.x.mean().item(),
        density_out=begun.fired,
        flips=flips,
        missing=missing,
    )


PART = Part(
    "Streaming", ("bitspike", "snnTorch", COMPILED, "SpikingJelly", "products"), NOTES, measure
)
