"""Exact gradients of spike times: a layer of leaky neurons in continuous time."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from typing import NamedTuple

import torch
from torch import Tensor

from bitspike.learning.exact import EventLIF, EventTensor
from record import Options, Part, Row
from timing import interleaved

ADJOINT, JAXSNN = "exact-event-adjoint", "jaxsnn"
TAU_MEM, TAU_SYN, LATEST, UNTIL = 2.0, 1.0, 4.0, 10.0
THREADS = (1, 2)
MOST_SYNAPSES = 64 * 64
# Theirs are float32; ours are float64.
TIMES, GRADIENTS = 1e-4, 1e-3
NOTES = f"""
* Time for the spikes of a layer and the gradients of its weights by `Σ cost·time`; medians of
  alternating rounds, ± half the distance between the quartiles. The other columns say how many
  times as long a peer took.
* Each input fires once, within {LATEST:g}; time constants are {TAU_MEM:g} (membrane) and
  {TAU_SYN:g} (current), for which jaxsnn solves for spike times in closed form; it ends at
  {UNTIL:g}.
* *{ADJOINT}*: `ExactAdjointLinear`, and `ExactAdjointMultiSpike` up to the number of spikes that
  the busiest neuron fires here, in float64 as ours. *{JAXSNN}*: `LIF` with EventProp, compiled and
  warm, in float32, with room for a few more events than there are.
* Before anything was timed, numbers of spikes were compared, times ({TIMES:g}) and gradients
  ({GRADIENTS:g}, relative).
"""


class Given(NamedTuple):
    """Times of input spikes, weights, and what the time of a neuron's spike costs."""

    times: Tensor
    weight: Tensor
    cost: Tensor
    first: bool
    """Whether a neuron fires once."""


class Found(NamedTuple):
    """Sorted times of all spikes, and the gradient of the weight."""

    times: Tensor
    gradient: Tensor


def layer_of(given: Given) -> EventLIF:
    """Ours."""
    outputs, inputs = given.weight.shape
    layer = EventLIF(
        inputs,
        outputs,
        tau_mem=TAU_MEM,
        tau_syn=TAU_SYN,
        until=UNTIL,
        max_spikes=1 if given.first else 1000,
    )
    layer.weight = torch.nn.Parameter(given.weight.clone())
    return layer


def ours(given: Given) -> Callable[[], Found]:
    """An `EventLIF`."""
    layer = layer_of(given)
    events = EventTensor.from_times(given.times)

    def step() -> Found:
        layer.weight.grad = None
        fired = layer(events)
        (fired.times * given.cost[fired.neurons]).sum().backward()
        return Found(fired.times.detach(), layer.weight.grad)

    return step


def adjoint(given: Given, spikes: int) -> Callable[[], Found]:
    """exact-event-adjoint, whose kernel has its peak at 1: ours is scaled to it."""
    from exact_event_adjoint import ExactAdjointLinear, ExactAdjointMultiSpike
    from exact_event_adjoint.kernels import lif_kernel_torch

    outputs, inputs = given.weight.shape
    options = {"tau_m": TAU_MEM, "tau_s": TAU_SYN, "theta": 1.0, "t_max": UNTIL}
    at, zero = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    theirs = lif_kernel_torch(at, zero, TAU_MEM, TAU_SYN).item()
    decays = math.exp(-1 / TAU_MEM) - math.exp(-1 / TAU_SYN)
    scale = TAU_SYN / (TAU_MEM - TAU_SYN) * decays / theirs
    if given.first:
        layer = ExactAdjointLinear(inputs, outputs, **options)
    else:
        layer = ExactAdjointMultiSpike(inputs, outputs, max_spikes=spikes, **options)
    layer.weight = torch.nn.Parameter(given.weight * scale)
    # Times are [B, outputs], or [outputs, B, spikes].
    cost = given.cost if given.first else given.cost[:, None, None]

    def step() -> Found:
        layer.weight.grad = None
        times = layer(given.times)
        fires = times < UNTIL
        torch.where(fires, times * cost, 0.0).sum().backward()
        return Found(times.detach()[fires], layer.weight.grad * scale)

    return step


def jaxsnn(given: Given, events: int) -> Callable[[], Found]:
    """EventProp with room for so many events of a sample; compiled in the first call."""
    import jax
    from jax import numpy as jnp
    from jaxsnn.event.modules import LIF, Linear, Source
    from jaxsnn.event.modules.lif.lif import LIFParameters
    from jaxsnn.event.topology import Topology
    from jaxsnn.event.types import Spike

    logging.getLogger("jaxsnn").setLevel(logging.ERROR)
    outputs, inputs = given.weight.shape
    # Its neurons are silent after a spike if they are reset to far below.
    reset = -1000.0 if given.first else 0.0
    neuron = LIFParameters(v_reset=reset, v_th=1.0, tau_syn=TAU_SYN, tau_mem=TAU_MEM)
    net = Topology(t_max=UNTIL, backprop_method="eventprop")
    weight = jnp.asarray(given.weight.t().float().contiguous().numpy())
    modules = {"in": Source(inputs), "out": LIF(outputs, events, neuron)}
    net.add({**modules, "weight": Linear(pre_weights=weight)})
    net.connect([("in", "weight"), ("weight", "out")])
    init, apply = net.done()
    times, order = given.times.float().sort(1)
    arrived = Spike(
        time=jnp.asarray(times.numpy()),
        idx=jnp.asarray(order.int().numpy()),
        current=jnp.zeros(times.shape),
        layer_idx=jnp.zeros(times.shape, int),
        internal=jnp.ones(times.shape, bool),
    )
    cost = jnp.asarray(given.cost.float().numpy())

    def loss(parameters: object) -> tuple[object, object]:
        out = apply({"in": arrived}, parameters)["out"]
        return jnp.where(out.internal, cost[out.idx] * out.time, 0.0).sum(), out

    compiled = jax.jit(jax.grad(loss, has_aux=True))
    parameters = init(jax.random.PRNGKey(0))

    def step() -> Found:
        gradient, out = jax.block_until_ready(compiled(parameters))
        (gradient,) = jax.tree.leaves(gradient)
        fires = torch.from_dlpack(out.internal)
        return Found(torch.from_dlpack(out.time)[fires], torch.from_dlpack(gradient).t())

    return step


def expect_equal(first: Found, second: Found) -> None:
    """Raises unless both have the same spikes and gradients."""
    times = [found.times.double().sort().values for found in (first, second)]
    torch.testing.assert_close(*times, atol=TIMES, rtol=0)
    apart = (first.gradient - second.gradient).norm() / first.gradient.norm()
    if not apart < GRADIENTS:
        raise ValueError(f"gradients differ by {apart:.1e}")


def contest(given: Given) -> tuple[dict[str, Callable[[], Found]], dict[str, str]]:
    """The layer of each library, compared, and why one is missing."""
    rivals = {"bitspike": ours(given)}
    found = rivals["bitspike"]()
    fired = len(found.times) / len(given.times)
    events = given.weight.shape[1] + math.ceil(1.2 * fired) + 16
    busiest = _busiest(given)
    makers = {
        ADJOINT: ("exact_event_adjoint", partial(adjoint, given, busiest)),
        JAXSNN: ("jaxsnn", partial(jaxsnn, given, events)),
    }
    missing = {}
    for name, (package, make) in makers.items():
        if find_spec(package) is None:
            missing[name] = "not installed"
            continue
        if name == ADJOINT and given.weight.numel() > MOST_SYNAPSES:
            missing[name] = "a call takes half a minute"
            continue
        theirs = make()
        try:
            expect_equal(found, theirs())
        except (AssertionError, ValueError) as error:
            missing[name] = f"it finds other spikes or gradients ({str(error).splitlines()[0]})"
        else:
            rivals[name] = theirs
    return rivals, missing


def _busiest(given: Given) -> int:
    """The most spikes that a neuron fires in a sample."""
    outputs = len(given.weight)
    with torch.no_grad():
        fired = layer_of(given)(EventTensor.from_times(given.times))
    samples = torch.repeat_interleave(torch.arange(len(given.times)), fired.starts.diff())
    return int(torch.bincount(samples * outputs + fired.neurons).max())


def measure(options: Options) -> Iterator[Row]:
    """Compares spikes and gradients, then times them."""
    before = torch.get_num_threads()
    sizes = ((1, 8), (2, 8)) if options.tiny else ((1, 64), (32, 64), (32, 256))
    for batch, neurons in sizes:
        subject = f"B={batch} {neurons}-{neurons}"
        if options.only not in subject:
            continue
        times = LATEST * torch.rand(batch, neurons, dtype=torch.float64)
        weight = (torch.rand(neurons, neurons, dtype=torch.float64) - 0.25) * 51 / neurons
        cost = torch.randn(neurons, dtype=torch.float64)
        for task, first in (("first spikes", True), ("all spikes", False)):
            for threads in THREADS:
                torch.set_num_threads(threads)
                rivals, missing = contest(Given(times, weight, cost, first))
                yield Row(subject, task, interleaved(rivals, options.rounds), missing=missing)
            torch.set_num_threads(before)


PART = Part("Spike times", ("bitspike", ADJOINT, JAXSNN), NOTES, measure)
