"""Gradients that are made while a network runs, and those of backpropagation through time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import torch
from spikingjelly.activation_based import functional, neuron, surrogate
from spikingjelly.activation_based.layer import OTTTSequential
from spikingjelly.activation_based.learning.online_learning import ottt_online_training
from torch import Tensor, nn

import bitspike as snn
import gate
import leaky
from bitspike.learning import online
from peers import Result
from problem import BETA, weight_deviation
from record import Options, Part, Row
from timing import interleaved

BPTT, JELLY, BRAINTRACE = "bitspike, BPTT", "SpikingJelly", "braintrace"
DENSITY = 0.05
Gradients = Callable[[], list[Tensor]]
THREADS = (1, 2)
NOTES = f"""
* Time in ms for the gradients of all weights by `Σ cost·spikes` over all steps, without an update;
  medians of alternating rounds, ± half the distance between the quartiles. The other columns say
  how many times as long a peer took. Input spikes are random, {DENSITY:.0%} of them.
* *RTRL* and *e-prop*: one layer of LIF neurons, a block of K steps in one call of
  `Learner.block`, or step by step; the gradient is that of backpropagation through time. *{BPTT}*:
  the same layer over the whole sequence, whose memory grows with it.
* *{BRAINTRACE}*: `D_RTRL` or `EProp`, compiled and warm; as many steps in a window as in our block.
  It has had no OTTT since 0.2.5, and {JELLY} none of these for a single layer.
* *OTTT*: two layers, the rule of Xiao et al. (2022); *{JELLY}*: `ottt_online_training`, whose first
  layer has no trace. Its neurons reset in the step of the spike; that is held against
  `reset_mechanism="subtract_beta"`, which is not timed.
* OTTT at B=32, 10 times as fast as {JELLY}: not within reach. A third of our time is the dense
  product that carries errors from the second layer to the first, 4.2 GFLOP in 70 ms, which is what
  a core can do; another third are the two layers themselves, forward and back. Without anything of
  the rule that is 8 to 9 times as fast as {JELLY}.
* RTRL and e-prop at B=1 in blocks of 100, 3 times as fast as {BRAINTRACE}: not within reach of
  layers that are called one by one. A call of a block costs about a millisecond, a quarter of which
  are native loops. The layer alone, ten times forward and back without a rule, takes 5.9 of the
  10 ms: 2.2 times as fast as {BRAINTRACE}. One block of all steps has this overhead once.
* Step by step the layer alone, forward and back, takes 0.39 of the 0.76 ms. A loop that is compiled
  as a whole, as that of {BRAINTRACE}, has no calls of steps, and wins.
* Gradients were compared before anything was timed.
"""


class Stream(NamedTuple):
    """Spikes that come in, what spikes cost, and the weights of each layer."""

    x: Tensor
    costs: Tensor
    weights: list[Tensor]

    @staticmethod
    def of(steps: int, batch: int, neurons: int, layers: int) -> Stream:
        """Random ones."""
        x = (torch.rand(steps, batch, neurons) < DENSITY).float()
        deviation = weight_deviation(neurons, DENSITY)
        weights = [deviation * torch.randn(neurons, neurons) for _ in range(layers)]
        return Stream(x, torch.randn(steps, batch, neurons), weights)

    def network(self, make: Callable[[], nn.Module]) -> nn.Sequential:
        """Layers without bias, each with such neurons."""
        modules: list[nn.Module] = []
        for weight in self.weights:
            outputs, inputs = weight.shape
            modules += [nn.Linear(inputs, outputs, bias=False), make()]
            modules[-2].weight.data.copy_(weight)
        return nn.Sequential(*modules)


def gradients(net: nn.Module) -> list[Tensor]:
    """Those of all weights, which are taken away."""
    found = []
    for module in net.modules():
        if isinstance(module, nn.Linear):
            found.append(module.weight.grad)
            module.weight.grad = None
    return found


def ours(given: Stream, rule: online.Rule, block: int, **options: str) -> Gradients:
    """A learner that takes blocks of so many steps; 1 for single steps."""
    net = given.network(lambda: snn.Leaky(BETA, init_hidden=True, **options))
    learner = online.Learner(net, rule)
    x = snn.SpikeTensor.from_dense(given.x)
    if block == 1:
        inputs, costs, call = list(given.x.as_subclass(snn.DenseSpikes)), given.costs, learner
    else:
        starts = range(0, len(x), block)
        inputs, costs = [x[t : t + block] for t in starts], given.costs.split(block)
        call = learner.block

    def step() -> list[Tensor]:
        learner.reset()
        for some, cost in zip(inputs, costs, strict=True):
            call(some).backward(cost)
        return gradients(net)

    return step


def bptt(given: Stream) -> Gradients:
    """The whole sequence, packed."""
    net = given.network(leaky.bitspike)
    x = snn.SpikeTensor.from_dense(given.x)

    def step() -> list[Tensor]:
        snn.utils.reset(net)
        net(x).backward(given.costs)
        return gradients(net)

    return step


def jelly(given: Stream) -> Gradients:
    """SpikingJelly's OTTT."""
    options = {"v_reset": None, "surrogate_function": surrogate.ATan(2.0), "detach_reset": True}
    tau = 1 / (1 - BETA)
    layers = list(given.network(lambda: neuron.OTTTLIFNode(tau, False, **options)))
    # The last layer sends no trace on.
    layers[-1] = neuron.LIFNode(tau, False, **options)
    net = OTTTSequential(*layers)
    optimiser = torch.optim.SGD(net.parameters(), lr=0.0)
    x, costs = given.x.transpose(0, 1), given.costs.transpose(0, 1)

    def step() -> list[Tensor]:
        ottt_online_training(
            net, optimiser, x, costs, lambda y, cost: (y * cost).sum(), online=False
        )
        functional.reset_net(net)
        return gradients(net)

    return step


def expect_equal(first: list[Tensor], second: list[Tensor]) -> None:
    """Raises unless these gradients are the same within rounding."""
    nothing = torch.zeros(())
    gate.compare(Result(nothing, first), Result(nothing, second), exact=True)


def exact(
    given: Stream, rule: online.Rule, block: int
) -> tuple[dict[str, Gradients], dict[str, str]]:
    """The learners of an exact rule, compared, and why one is missing."""
    rivals: dict[str, Gradients] = {"bitspike": ours(given, rule, block)}
    rivals[BPTT] = bptt(given)
    missing = {}
    if find_spec("braintrace") is None:
        missing[BRAINTRACE] = "not installed"
    else:
        from braintrace_peer import learner

        rivals[BRAINTRACE] = learner(*given, rule.name, block)
    found = {name: step() for name, step in rivals.items()}
    for theirs in found.values():
        expect_equal(found["bitspike"], theirs)
    return rivals, missing


def approximate(given: Stream, block: int) -> tuple[dict[str, Gradients], dict[str, str]]:
    """OTTT in each library; the last layer is compared, of which both hold a trace."""
    theirs = jelly(given)
    rivals = {"bitspike": ours(given, online.OTTT(), block), BPTT: bptt(given), JELLY: theirs}
    same = ours(given, online.OTTT(), block, reset_mechanism="subtract_beta", fire_at="ge")
    expect_equal(same()[-1:], theirs()[-1:])
    return rivals, {}


def measure(options: Options) -> Iterator[Row]:
    """Compares gradients, then times them."""
    steps, neurons = (20, 16) if options.tiny else (1000, 256)
    before = torch.get_num_threads()
    blocks = (steps, steps // 10, 1)
    for batch in (1, 2) if options.tiny else (1, 32):
        subject = f"T={steps} B={batch} {neurons}-{neurons}"
        one, two = (Stream.of(steps, batch, neurons, layers) for layers in (1, 2))
        tasks = {
            **{("RTRL", block): partial(exact, one, online.RTRL(), block) for block in blocks},
            **{("e-prop", block): partial(exact, one, online.EProp(), block) for block in blocks},
            **{("OTTT", block): partial(approximate, two, block) for block in blocks},
        }
        for (rule, block), contest in tasks.items():
            if block == 1 < batch:  # braintrace would take minutes
                continue
            task = f"{rule}, {'step by step' if block == 1 else f'blocks of {block}'}"
            if options.only not in f"{subject} {task}":
                continue
            for threads in THREADS:
                torch.set_num_threads(threads)
                rivals, missing = contest()
                samples = interleaved(rivals, options.rounds)
                yield Row(subject, task, samples, density_in=DENSITY, missing=missing)
            torch.set_num_threads(before)


PART = Part("Learning online", ("bitspike", BPTT, JELLY, BRAINTRACE), NOTES, measure)
