"""One sample that comes step by step: a Python loop around three layers, without gradient."""

import time
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

LOOP, FLOATS, INDICES = "single steps", "snn.stream, floats", "snn.stream, indices"
TAIL = "99th percentile of a step"
TAIL_COLUMN, TAIL_STEPS = "99 %", 100_000
NOTES = f"""
* Time of one step of one sample in µs or ms, overhead of the Python loop included: medians of
  alternating rounds of a whole stream, ± half the distance between the quartiles. The other columns
  say how many times as long a peer took.
* *{LOOP}*: the modules themselves, with their states inside. *{FLOATS}*: `snn.stream` of the same
  network, which gets and returns floats; *{INDICES}*: it gets the indices of the inputs that fire.
* Each library keeps its states in its modules, except for snnTorch, which returns them.
  SpikingJelly: single-step. Products: the `nn.Linear` alone. All of them get and return floats.
* *{TAIL}*: over {TAIL_STEPS:,} steps of *{INDICES}*, each timed; its first column is the median.
* Spikes of bitspike and snnTorch were compared before anything was timed, and are equal.
"""

Run = Callable[[], object]


def single_steps(begun: Start) -> Callable[[], Tensor]:
    """The modules, states inside."""
    net = nn.Sequential(*begun.modules(_single))

    def run() -> Tensor:
        snn.utils.reset(net)
        return torch.stack([net(current) for current in begun.x])

    return run


def stream(begun: Start, inputs: list[Tensor]) -> Callable[[], Tensor]:
    """One native call per step."""
    net = nn.Sequential(*begun.modules(_single))
    step = snn.stream(net, begun.x[0], kind="spikes")

    def run() -> Tensor:
        step.reset()
        return torch.stack([step(x) for x in inputs])

    return run


def seconds_of_steps(begun: Start, inputs: list[Tensor], steps: int) -> Tensor:
    """What each of so many steps of a stream takes."""
    step = snn.stream(nn.Sequential(*begun.modules(_single)), begun.x[0], kind="spikes")
    found = []
    for at in range(steps):
        x = inputs[at % len(inputs)]
        before = time.perf_counter()
        step(x)
        found.append(time.perf_counter() - before)
    return torch.tensor(found, dtype=torch.float64)


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
    indices = [x.flatten().nonzero().flatten() for x in begun.x]
    missing: dict[str, str] = {}
    ours: dict[str, Run] = {
        LOOP: single_steps(begun),
        FLOATS: stream(begun, list(begun.x)),
        INDICES: stream(begun, indices),
    }
    runs: dict[str, Run] = {"snnTorch": snntorch_loop(begun)}
    theirs = Result(runs["snnTorch"](), [])
    found = (Result(run(), []) for run in ours.values())
    flips = {"snnTorch": max(gate.compare(result, theirs, exact=True) for result in found)}
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
        for name, sample in interleaved(ours | runs, options.rounds).items()
    }
    row = partial(
        Row, str(STREAM), density_in=begun.x.mean().item(), density_out=begun.fired, flips=flips
    )
    peers = {name: samples[name] for name in runs}
    for task in ours:
        yield row(task=task, samples={"bitspike": samples[task], **peers}, missing=missing)
    seconds = seconds_of_steps(begun, indices, 100 if options.tiny else TAIL_STEPS)
    median, tail = (Sample((seconds.quantile(q).item(),)) for q in (0.5, 0.99))
    yield row(task=TAIL, samples={"bitspike": median, TAIL_COLUMN: tail})


PART = Part(
    "Streaming",
    ("bitspike", "snnTorch", COMPILED, "SpikingJelly", "products", TAIL_COLUMN),
    NOTES,
    measure,
)
