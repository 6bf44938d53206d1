"""Spike-timing-dependent plasticity on recorded spikes: the same rule in each library."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from snntorch.functional import stdp_learner as snntorch_stdp
from spikingjelly.activation_based.functional import learning as jelly_stdp
from spikingjelly.activation_based.learning import STDPLearner as JellyLearner
from torch import Tensor, nn

import bitspike as snn
import gate
from bitspike import plasticity
from bitspike.functional import stdp_learner
from peers import Result
from record import Options, Part, Row
from timing import interleaved

FACE = "bitspike, STDPLearner"
LIBRARIES = ("bitspike", FACE, "snnTorch", "SpikingJelly")
SUMMED, LEARNED = "sum at fixed weights", "each step, in bounds"
TAU, RATE = 20.0, 1e-4
THREADS = (1, 2)
NOTES = f"""
* Time in ms that a rule takes for spikes of both sides that were recorded before; medians of
  alternating rounds, ± half the distance between the quartiles. The other columns say how many
  times as long a peer took.
* *{SUMMED}*: `STDPLearner` of snnTorch and of SpikingJelly, which add up what weights would change
  by that stay as they are, each change in proportion to its weight; beside them `plasticity.STDP`
  and the `STDPLearner` of bitspike. *{LEARNED}*: weights change after every step, by as much
  whatever they are, and are clamped to [0, 1]; the peers' functions for one step in a loop.
* Both peers keep spikes as floats, and multiply all of them; here they are bits.
* The weights that came out, or their sums of changes, were compared before anything was timed.
"""


class Recorded(NamedTuple):
    """Spikes of both sides, and the weights between them."""

    pre: Tensor
    post: Tensor
    weight: Tensor

    @staticmethod
    def of(steps: int, batch: int, neurons: int, density: float) -> "Recorded":
        """Random spikes and weights."""
        sides = (torch.rand(2, steps, batch, neurons) < density).float()
        return Recorded(*sides, torch.rand(neurons, neurons))

    def layer(self) -> nn.Linear:
        """The synapses."""
        layer = nn.Linear(self.weight.shape[1], self.weight.shape[0], bias=False)
        layer.weight.data.copy_(self.weight)
        return layer

    def packed(self) -> tuple[Tensor, Tensor]:
        """The spikes as bits."""
        return snn.SpikeTensor.from_dense(self.pre), snn.SpikeTensor.from_dense(self.post)


def summed(given: Recorded) -> dict[str, Callable[[], Tensor]]:
    """What each library takes for the sum of all changes."""
    packed, steps = given.packed(), (list(given.pre), list(given.post))
    rule = plasticity.STDP(TAU, TAU, bound="proportional", coincident="both", legacy=True)
    layer = given.layer()
    rule.attach(layer)

    def ours() -> Tensor:
        layer.weight.grad = None
        rule.reset()
        rule.record(*packed)
        rule.step(on_grad=True)
        assert layer.weight.grad is not None
        return -layer.weight.grad

    def learner(kind: Callable[..., nn.Module], sides: tuple[list[Tensor], list[Tensor]]):
        learns = kind(synapse=given.layer(), sn=nn.Identity(), tau_pre=TAU, tau_post=TAU)

        def step() -> Tensor:
            learns.trace_pre = learns.trace_post = None
            for name, monitor, records in zip(
                ("", ""),
                (learns.in_spike_monitor, learns.out_spike_monitor),
                sides,
                strict=True,
            ):
                monitor.clear_recorded_data()
                monitor.records.extend(records)
                monitor.name_records_index[name] = list(range(len(records)))
            return learns.step(on_grad=False)

        return step

    def jelly(**arguments) -> nn.Module:
        return JellyLearner(step_mode="m", **arguments)

    return {
        "bitspike": ours,
        FACE: learner(stdp_learner.STDPLearner, ([packed[0]], [packed[1]])),
        "snnTorch": learner(snntorch_stdp.STDPLearner, steps),
        "SpikingJelly": learner(jelly, ([given.pre], [given.post])),
    }


def learned(given: Recorded) -> dict[str, Callable[[], Tensor]]:
    """What each library takes for weights that change at every step."""
    packed, layer = given.packed(), given.layer()
    rule = plasticity.STDP(TAU, TAU, coincident="both", legacy=True).attach(layer)

    def ours() -> Tensor:
        layer.weight.data.copy_(given.weight)
        rule.reset()
        rule.record(*packed)
        rule.step(lr=RATE)
        return layer.weight.detach()

    def constant(_: Tensor) -> float:
        return 1.0

    def theirs() -> Tensor:
        other, pre, post = given.layer(), None, None
        for s, fired in zip(given.pre, given.post, strict=True):
            pre, post, change = snntorch_stdp.stdp_linear_single_step(
                other, s, fired, pre, post, TAU, TAU, constant, constant
            )
            other.weight.data.add_(change, alpha=RATE).clamp_(0, 1)
        return other.weight.detach()

    def jelly() -> Tensor:
        weight = given.weight.clone()
        traces = (torch.zeros_like(given.pre[0]), torch.zeros_like(given.post[0]))
        for s, fired in zip(given.pre, given.post, strict=True):
            change, traces = jelly_stdp.stdp_linear_step(
                s,
                fired,
                traces,
                weight,
                tau_pre=TAU,
                tau_post=TAU,
                f_pre=constant,
                f_post=constant,
            )
            weight.add_(change, alpha=RATE).clamp_(0, 1)
        return weight

    return {"bitspike": ours, "snnTorch": theirs, "SpikingJelly": jelly}


def measure(options: Options) -> Iterator[Row]:
    """Compares what comes out, then times it."""
    steps, neurons = (20, 32) if options.tiny else (1000, 256)
    before = torch.get_num_threads()
    for batch in (1, 2) if options.tiny else (1, 32):
        subject = f"T={steps} B={batch} {neurons}-{neurons}"
        if options.only not in subject:
            continue
        given = Recorded.of(steps, batch, neurons, 0.05)
        for task, rivals in ((SUMMED, summed(given)), (LEARNED, learned(given))):
            with torch.no_grad():
                results = {name: step().clone() for name, step in rivals.items()}
            for theirs in results.values():
                nothing = torch.zeros(())
                gate.compare(
                    Result(nothing, (results["bitspike"],)), Result(nothing, (theirs,)), exact=True
                )
            for threads in THREADS:
                torch.set_num_threads(threads)
                samples = interleaved(rivals, options.rounds)
                missing = {} if FACE in rivals else {FACE: "it adds up, and changes no weight"}
                density = given.pre.mean().item()
                yield Row(subject, task, samples, density_in=density, missing=missing)
            torch.set_num_threads(before)


PART = Part("Spike-timing-dependent plasticity", LIBRARIES, NOTES, measure)
