"""Steps that run as programs, beside the native kernel and beside torch step by step."""

from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter

import torch
from torch import Tensor

import bitspike as snn
from bitspike import program
from bitspike.neurons.base.programs import run_program
from bitspike.neurons.base.run import run_reference
from bitspike.ops import program as native
from leaky import OverTime
from problem import BETA
from record import Options, Part, Row
from timing import Sample, interleaved

STEPS, SAMPLES, NEURONS = 100, 16, 512
PROGRAM, KERNEL, TORCH, SNNTORCH = "as a program", "native kernel", "in torch", "snnTorch"

NOTES = f"""
* A layer of {NEURONS} neurons, B={SAMPLES}, T={STEPS}, on a current N(0, ½²): forward without
  gradient, and forward with backward to the current; medians of alternating rounds, ± half the
  distance between the quartiles.
* *{PROGRAM}*: what `step` computes, traced once and run by the vector machine. *{TORCH}*: the same
  `step`, one after another, which is what ran before there were programs. *{SNNTORCH}*: its `Leaky`
  in a loop.
* Spikes were equal before they were timed.
* *first call*: what tracing and preparing both programs takes, once for each kind of neuron.
"""


class Mihalas(snn.Neuron):
    """A threshold that follows the membrane (Mihalaş and Niebur 2009), as a user would write it."""

    STATES = ("limit", "mem")
    DEFAULTS = {"beta": 0.9, "rate": 0.1, "gain": 0.5}

    def step(self, current: Tensor, limit: Tensor, mem: Tensor):
        """One step."""
        reset = self.mem_reset(mem - limit)
        mem = self.beta * (1 - reset) * mem + current
        limit = limit + self.gain * mem - self.rate * limit
        return self.fire(mem - limit), (limit, mem)


def narrow(x: Tensor, grad: Tensor, spikes: Tensor) -> Tensor:
    """A surrogate of the user's own."""
    return grad / (1 + (4 * x).square())


def neurons() -> dict[str, Callable[[], snn.SpikingNeuron]]:
    """What runs as a program, by its name."""
    leaky = partial(snn.Leaky, beta=BETA)
    return {
        "Leaky": leaky,
        "Leaky, detach_reset=False": partial(leaky, detach_reset=False),
        "Leaky, custom_surrogate": partial(
            leaky, spike_grad=snn.surrogate.custom_surrogate(narrow)
        ),
        "Leaky, fire_at='ge'": partial(leaky, fire_at="ge"),
        "CLIF": partial(snn.CLIF, beta=BETA),
        "a neuron of one's own": Mihalas,
    }


def measure(options: Options) -> Iterator[Row]:
    """Compares spikes, then times."""
    steps, samples, count = (5, 2, 8) if options.tiny else (STEPS, SAMPLES, NEURONS)
    x = 0.5 * torch.randn(steps, samples, count)
    for name, make in neurons().items():
        if options.only in name:
            yield from _rows(name, make, x, options)


def _rows(
    name: str, make: Callable[[], snn.SpikingNeuron], x: Tensor, options: Options
) -> Iterator[Row]:
    neuron = make()
    rest = [torch.zeros_like(x[0]) for _ in neuron.STATES]

    def run(how: Callable[..., tuple[Tensor, ...]], current: Tensor) -> Tensor:
        return how(neuron, current, rest, sequence=True, states=False)[0]

    ways: dict[str, Callable[[Tensor], Tensor]] = {
        PROGRAM: partial(run, run_program),
        TORCH: partial(run, run_reference),
    }
    if name == "Leaky":
        ways[KERNEL] = lambda current: neuron.run_sequence(current)[0]
        ways[SNNTORCH] = OverTime()
    wanted = ways[TORCH](x)
    for library, way in ways.items():
        found = way(x)
        if not torch.equal(found.dense() if isinstance(found, snn.SpikeTensor) else found, wanted):
            raise ValueError(f"{library} differs for {name}")
    weight = torch.randn_like(x)

    def forward(way: Callable[[Tensor], Tensor]) -> None:
        with torch.no_grad():
            way(x)

    def backward(way: Callable[[Tensor], Tensor]) -> None:
        way(x.detach().requires_grad_()).backward(weight)

    for task, act in (("forward", forward), ("forward and backward", backward)):
        calls = {library: partial(act, way) for library, way in ways.items()}
        yield Row(name, task, interleaved(calls, options.rounds), density_out=_share(wanted))
    yield Row(name, "first call", {PROGRAM: Sample(tuple(_first(make) for _ in range(3)))})


def _share(spikes: Tensor) -> float:
    return spikes.ne(0).float().mean().item()


def _first(make: Callable[[], snn.SpikingNeuron]) -> float:
    """Seconds for tracing, and for preparing what was traced."""
    neuron = make()
    # Another class has programs of its own.
    neuron.__class__ = type("Another", (type(neuron),), {})
    start = perf_counter()
    captured = program.capture(neuron)
    for part in (captured.forward, captured.adjoint):
        native.compile(part)
    return perf_counter() - start


PART = Part("Programs", (PROGRAM, TORCH, KERNEL, SNNTORCH), NOTES, measure)
