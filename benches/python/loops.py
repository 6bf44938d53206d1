"""A network written as a loop over time, in snnTorch's manner: what each change brings."""

import time
from collections.abc import Iterator
from functools import partial

import snntorch
import torch
from torch import Tensor, nn

import bitspike as snn
import contenders
import gate
import leaky
from contenders import Contender
from nets import LOOP, Start, start
from networks import COMPILED, LIMIT, within
from peers import Result
from record import Options, Part, Row
from timing import Sample, interleaved

VECTORIZED, IMPORTS, NEURONS = "vectorize", "all imports", "neurons only"
NOTES = f"""
* Time of a training step in ms: forward, cross entropy of spike counts, backward, Adam; the input
  was encoded before. Medians of alternating rounds, ± half the distance between the quartiles. The
  other columns say how many times as long a peer took.
* The same `nn.Module` in all columns: explicit membranes, one step of all layers after another,
  `torch.stack` of a list. *{NEURONS}*: bitspike's `Leaky` in it, all else as with snnTorch.
  *{IMPORTS}*: input also from bitspike's encoder, whose spikes `nn.Linear` recognises.
  *{VECTORIZED}*: the same in `snn.vectorize(net)`. *{COMPILED}*: snnTorch's, `torch.compile(net)`.
* First call: forward and backward; for {VECTORIZED} with the capture of the network, for
  {COMPILED} with compiling, which may take {LIMIT} s.
* Spikes and gradients of all parameters were compared before anything was timed.
"""


class Loop(nn.Module):
    """Layers and neurons, step by step."""

    def __init__(self, modules: list[nn.Module]) -> None:
        """Takes two layers, each with its neuron."""
        super().__init__()
        self.fc1, self.lif1, self.fc2, self.lif2 = modules

    def forward(self, x: Tensor) -> Tensor:
        """Output spikes of all steps."""
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        recorded = []
        for step in range(x.size(0)):
            spk1, mem1 = self.lif1(self.fc1(x[step]), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            recorded.append(spk2)
        return torch.stack(recorded)


def _single() -> nn.Module:
    neuron = leaky.bitspike()
    neuron.multi_step = neuron.init_hidden = False
    return neuron


def loops(begun: Start) -> dict[str, Contender]:
    """The network of either library, by the name of its column."""
    encoded = begun.x.as_subclass(snn.DenseSpikes)
    networks = {name: Loop(begun.modules(_single)) for name in (VECTORIZED, IMPORTS, NEURONS)}
    theirs = Loop(begun.modules(leaky.snntorch_leaky))
    assert isinstance(theirs.lif1, snntorch.Leaky)
    return {
        VECTORIZED: Contender(networks[VECTORIZED], snn.vectorize(networks[VECTORIZED]), encoded),
        IMPORTS: Contender(networks[IMPORTS], networks[IMPORTS], encoded),
        NEURONS: Contender(networks[NEURONS], networks[NEURONS], begun.x),
        "snnTorch": Contender(theirs, theirs, begun.x),
    }


def measure(options: Options) -> Iterator[Row]:
    """Compares spikes and gradients, then times first and later training steps."""
    if options.only not in str(LOOP):
        return
    begun = start(LOOP.tiny() if options.tiny else LOOP)
    rivals = loops(begun)
    missing: dict[str, str] = {}
    first, results = {}, {}
    for name, rival in rivals.items():
        first[name], results[name] = first_call(rival, begun)
    if not options.tiny:
        torch.compiler.reset()
        net = Loop(begun.modules(leaky.snntorch_leaky))
        rivals[COMPILED] = Contender(net, torch.compile(net), begun.x)
        try:
            with_limit = partial(first_call, rivals[COMPILED], begun)
            first[COMPILED], results[COMPILED] = within(LIMIT, with_limit)
        except Exception as error:  # whatever the compiler gives up with
            del rivals[COMPILED]
            missing[COMPILED] = f"{type(error).__name__} within {LIMIT} s of compiling"
    flips = {
        name: gate.compare(results[VECTORIZED], theirs, exact=name != COMPILED)
        for name, theirs in results.items()
        if name != VECTORIZED
    }
    row = partial(
        Row,
        str(LOOP),
        density_in=begun.x.mean().item(),
        density_out=begun.fired,
        flips=flips,
        missing=missing,
    )
    yield row(task="first call", samples=first)
    steps = {
        name: partial(contenders.training(rival, begun.labels), rival.x)
        for name, rival in rivals.items()
    }
    yield row(task="Adam step", samples=interleaved(steps, options.rounds))


def first_call(rival: Contender, begun: Start) -> tuple[Sample, Result]:
    """The seconds that the first forward and backward take, and what they return."""
    before = time.perf_counter()
    result = contenders.result(rival, begun.labels)
    return Sample((time.perf_counter() - before,)), result


PART = Part("Loops over time", (VECTORIZED, IMPORTS, NEURONS, "snnTorch", COMPILED), NOTES, measure)
