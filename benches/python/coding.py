"""What stands at both ends of a network: rate coding of its input, losses of its output spikes.

Packed spikes beside floats, in bitspike and in snnTorch.
"""

from collections.abc import Callable, Iterator

import snntorch.functional as snntorch_losses
import torch
from snntorch import spikegen as snntorch_spikegen
from torch import Tensor

import bitspike as snn
import bitspike.functional as SF
import gate
from peers import Result
from record import Options, Part, Row
from timing import interleaved

IMAGES = (100, 128, 784)
BATCH = 128
SIZES = tuple((steps, BATCH, classes) for steps in (25, 100) for classes in (10, 100, 784))
TINY = ((5, 4, 10),)
DENSITY = 0.1
# Standard deviations that the spikes of an image may be away from their probabilities.
DEVIATIONS = 5.0
# snnTorch loops over all neurons in Python for the gradient of their times: too long for more.
MOST_TIMES = 100

Loss = Callable[[Tensor, Tensor], Tensor]


NOTES = f"""
* Microseconds are medians of alternating rounds, ± half the distance between the quartiles. The
  other columns say how many times as long a peer took: above 1, packed spikes are faster.
* Rate coding: `spikegen.rate(packed=True)`; dense is `torch.bernoulli` of the expanded
  probabilities; snnTorch's `spikegen.rate`. The spikes of each image were compared with its
  probabilities.
* Losses: forward and backward; {DENSITY:.0%} of the neurons fire at each step. Packed and dense
  losses and gradients had equal bits before they were timed, and snnTorch's agreed.
* One dense step: the same loss of `[1, B, N]` floats. That is what a loss costs besides counting,
  in PyTorch's own functions, and no packing of spikes takes it away.
"""


def measure(options: Options) -> Iterator[Row]:
    """Compares the results of each task, then times it."""
    if options.only in "rate coding":
        yield Row(str(list(IMAGES)), "rate coding", interleaved(_rate_coding(), options.rounds))
    for name in ("ce_count_loss", "mse_count_loss", "ce_temporal_loss"):
        if options.only in name:
            for shape in TINY if options.tiny else SIZES:
                times = interleaved(_losses(name, shape), options.rounds)
                yield Row(str(list(shape)), name, times, density_in=DENSITY)


def _rate_coding() -> dict[str, Callable[[], Tensor]]:
    steps, *shape = IMAGES
    images = torch.rand(shape)
    draws = {
        "packed": lambda: snn.spikegen.rate(images, steps, packed=True),
        "dense": lambda: torch.bernoulli(images.expand(steps, *shape)),
        "snnTorch": lambda: snntorch_spikegen.rate(images, steps),
    }
    deviation = (images * (1 - images)).sum(1).sqrt() / (steps**0.5 * images.shape[1])
    for name, draw in draws.items():
        errors = (gate.dense(draw()).mean((0, 2)) - images.mean(1)) / deviation
        if not errors.abs().max() < DEVIATIONS:
            raise gate.RedGateError(f"spikes of {name} do not have their probabilities")
    return draws


def _losses(name: str, shape: tuple[int, int, int]) -> dict[str, Callable[[], Result]]:
    spikes = (torch.rand(shape) < DENSITY).float()
    labels = torch.randint(shape[-1], shape[1:2])
    ours, theirs = getattr(SF, name)(), getattr(snntorch_losses, name)()
    steps = {
        "packed": _step(ours, snn.SpikeTensor.from_dense(spikes), labels),
        "dense": _step(ours, spikes, labels),
        "snnTorch": _step(theirs, spikes, labels),
    }
    if name == "ce_temporal_loss" and shape[-1] > MOST_TIMES:
        del steps["snnTorch"]
    wanted = steps["dense"]()
    gate.compare(steps["packed"](), wanted, exact=True, same_spikes=0.0)
    if "snnTorch" in steps:
        _check(steps["snnTorch"](), wanted)
    return steps | {"one dense step": _step(ours, spikes[:1], labels)}


def _check(theirs: Result, ours: Result) -> None:
    """Losses and gradients of the same formula, rounded in other places."""
    pairs = zip((theirs.spikes, *theirs.gradients), (ours.spikes, *ours.gradients), strict=True)
    for a, b in pairs:
        if not (a - b).norm() <= gate.SAME_SPIKES * b.norm():
            raise gate.RedGateError("a loss or its gradient differs from snnTorch's")


def _step(loss: Loss, spikes: Tensor, labels: Tensor) -> Callable[[], Result]:
    x = spikes.detach().requires_grad_()

    def step() -> Result:
        value = loss(x, labels)
        return Result(value, torch.autograd.grad(value, [x]))

    return step


PART = Part(
    "Rate coding and losses",
    ("packed", "dense", "snnTorch", "one dense step"),
    NOTES,
    measure,
)
