"""Whole networks: a step of Adam, and inference, in every library."""

import signal
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import TypeVar

import torch

import contenders
import epoch
import gate
import leaky
from contenders import Contender
from jax_network import Network as JaxNetwork
from nets import CONV, Start, named, start
from problem import BETA, WIDTH
from products import dense_products
from record import Options, Part, Row
from timing import fastest, interleaved, mean_seconds

# Seconds that torch.compile may take for the step of a network and its gradient.
LIMIT = 180
Returned = TypeVar("Returned")
TRAINING, INFERENCE = "Adam step", "inference"
COMPILED = "snnTorch compiled"
HALF = "products, bf16"
# Where there are no instructions for it, bfloat16 is emulated, and would take most of the hour.
SLOW = 4
EPOCH = "784-512-10, T=25 B=128"
NOTES = f"""
* Milliseconds are medians of alternating rounds, ± half the distance between the quartiles. The
  other columns say how many times as long a peer took: above 1, bitspike is faster.
* Adam step: forward, cross entropy of spike counts, backward, step of the optimiser. Inference:
  spike counts in `eval()` under `no_grad`. β = {BETA}, θ = 1, reset by subtraction, not
  differentiated; Bernoulli input. *Output* is the share of all neuron-steps that fire. "triangle":
  the surrogate is 0 further than {WIDTH} from the threshold, and *active* is the counted share of
  the neuron-steps at which it is not.
* Spikes and gradients of all parameters were compared before anything was timed. Spikes of bitspike
  and snnTorch are equal. SpikingJelly resets in the step of the spike and not one later: as much
  work, other spikes; it is compared with its own rule.
* bitspike: `snn.fuse(net)`; *unfused*: `snn.unroll(net, x)`, layer by layer, which in inference is
  the same. snnTorch: its own loop over the steps of the network; *compiled*: with `torch.compile`
  of that step, at most {LIMIT} s of compiling; *batched*: layers see all steps as one batch, and
  only neurons loop. SpikingJelly: multi-step, torch backend, the faster layout of maps. jax: one
  `jit` around the step, compiled before. Products: torch's products of the same step alone, without
  neurons, pooling and optimiser, in the faster layout; bf16: the same under autocast.
* {EPOCH}: the network of examples/mnist.py written for snnTorch, one step at a time, with only the
  import changed; one epoch of 32 batches.
"""


def measure(options: Options) -> Iterator[Row]:
    """Compares the results of every network in all libraries, then times them."""
    for network in named(options.only):
        for width in (None, WIDTH):
            yield from rows(start(network.tiny() if options.tiny else network, width), options)
    if options.only in EPOCH:
        times = epoch.times(options.rounds, batches=2 if options.tiny else epoch.BATCHES)
        yield Row(EPOCH, "snnTorch's loop, import changed", times)


def rows(begun: Start, options: Options) -> Iterator[Row]:
    """A network with one surrogate: both tasks with atan; with the triangle, only training.

    Inference knows no surrogate, and the time of snnTorch's loops does not depend on it.
    """
    rivals = torch_contenders(begun)
    flips = compare(begun, rivals)
    missing: dict[str, str] = {}
    if begun.width is not None:
        del rivals["snnTorch"], rivals["snnTorch batched"]
    elif not options.tiny:
        try:
            rivals[COMPILED] = compiled(begun)
        except Exception as error:  # whatever the compiler gives up with
            missing[COMPILED] = f"{type(error).__name__} within {LIMIT} s of compiling"
    jax = None
    if begun.width is None and begun.network.layers is not CONV.layers:
        jax = JaxNetwork(begun)
        ours = contenders.result(rivals["bitspike"], begun.labels)
        flips["jax"] = gate.compare(ours, jax.result(), exact=False)
    for task in (TRAINING, INFERENCE) if begun.width is None else (TRAINING,):
        steps = {name: step_of(rival, begun, task) for name, rival in rivals.items()}
        if jax is not None:
            steps["jax"] = jax.training() if task == TRAINING else jax.inference()
        left_out = dict(missing)
        steps["products"] = best_products(begun, task == TRAINING, torch.float32)
        half = best_products(begun, task == TRAINING, torch.bfloat16)
        if is_slow(half, steps["products"]):
            left_out[HALF] = f"more than {SLOW} times as slow as float32 on these instructions"
        else:
            steps[HALF] = half
        yield Row(
            str(begun.network),
            task if begun.width is None else f"{task}, triangle({begun.width})",
            interleaved(steps, options.rounds),
            density_in=begun.x.mean().item(),
            density_out=begun.fired,
            active=begun.active,
            flips=flips,
            missing=left_out,
        )


def torch_contenders(begun: Start) -> dict[str, Contender]:
    """What builds on torch, by the name of its column."""
    jelly = contenders.spikingjelly(begun)
    if begun.network.layers is CONV.layers:
        layouts = {"NCHW": jelly, "NHWC": contenders.spikingjelly(begun, last=True)}
        steps = {name: step_of(layout, begun, TRAINING) for name, layout in layouts.items()}
        # Trying them has trained them; the best starts afresh.
        jelly = contenders.spikingjelly(begun, last=fastest(steps) == "NHWC")
    return {
        "bitspike": contenders.bitspike(begun),
        contenders.UNFUSED: contenders.bitspike(begun, fused=False),
        "snnTorch": contenders.snntorch_loop(begun),
        "snnTorch batched": contenders.layer_by_layer(begun, leaky.OverTime),
        "SpikingJelly": jelly,
    }


def compiled(begun: Start) -> Contender:
    """SnnTorch with its step compiled, for training and for inference."""
    torch.compiler.reset()  # what was compiled for other networks counts against a limit
    contender = contenders.snntorch_loop(begun, compiled=True)

    def both() -> None:
        contenders.result(contender, begun.labels)
        with torch.no_grad():
            contender.run(contender.x)

    within(LIMIT, both)
    return contender


def compare(begun: Start, rivals: dict[str, Contender]) -> dict[str, float]:
    """Compares spikes and gradients of all; returns the share of spikes that flipped."""
    ours = contenders.result(rivals["bitspike"], begun.labels)
    own_rule = contenders.layer_by_layer(begun, leaky.ImmediateReset)
    flips = {}
    for name, rival in rivals.items():
        theirs = contenders.result(rival, begun.labels)
        if name == "SpikingJelly":
            wanted = contenders.result(own_rule, begun.labels)
            flips[name] = gate.compare(wanted, theirs, exact=False)
        elif name != "bitspike":
            flips[name] = gate.compare(ours, theirs, exact=True)
    return flips


def step_of(contender: Contender, begun: Start, task: str) -> Callable[[], object]:
    """What is timed."""
    if task == TRAINING:
        return partial(contenders.training(contender, begun.labels), contender.x)
    return partial(contenders.inference(contender), contender.x)


def best_products(begun: Start, train: bool, dtype: torch.dtype) -> Callable[[], None]:
    """The products in the layout that is faster for maps."""
    layouts = {
        str(layout): dense_products(begun, train, layout, dtype)
        for layout in (torch.contiguous_format, torch.channels_last)
    }
    if begun.network.layers is not CONV.layers:
        return layouts[str(torch.contiguous_format)]
    return layouts[fastest(layouts)]


def is_slow(step: Callable[[], None], other: Callable[[], None]) -> bool:
    """Whether a step takes far longer than another, both warm."""
    first, second = ([mean_seconds(f, 1) for _ in range(2)][1] for f in (step, other))
    return first > SLOW * second


def within(seconds: int, call: Callable[[], Returned]) -> Returned:
    """Calls, and raises :class:`TimeoutError` if it takes longer."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"{seconds} s are over")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        return call()
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


PART = Part(
    "Whole networks",
    (
        *("bitspike", contenders.UNFUSED, "snnTorch", COMPILED, "snnTorch batched"),
        *("SpikingJelly", "jax", "products", HALF),
    ),
    NOTES,
    measure,
)
