"""One layer at a time: a neuron alone, Linear and neuron as first and as hidden layer, RLeaky."""

from collections.abc import Iterator

import torch
from snntorch import Leaky

import gate
import recurrent
from jax_peer import jax_scan
from peers import bitspike, dense_products, immediate_reset, snntorch_loop, spikingjelly
from problem import (
    BETA,
    CELLS,
    DENSE,
    DENSITIES,
    MEMBRANE_DEVIATION,
    WIDTH,
    Cell,
    Problem,
    Task,
    lif_problem,
    linear_problem,
)
from record import Options, Part, Row
from timing import interleaved

TINY = Cell(10, 4, 60, 40)
# Where compact surrogates are measured beside atan.
HIDDEN, HIDDEN_DENSITY = CELLS[0], 0.03
NOTES = f"""
* Milliseconds are medians of alternating rounds, ± half the distance between the quartiles. The
  other columns say how many times as long a peer took: above 1, bitspike is faster.
* One step is forward and backward with a dense random gradient of the output spikes. β = {BETA},
  θ = 1, atan(2), reset by subtraction, not differentiated. Inputs are Bernoulli spikes; weights are
  normal, scaled so that a membrane without reset deviates by {MEMBRANE_DEVIATION} thresholds.
* "triangle": the surrogate is 0 further than {WIDTH} from the threshold, and *active* is the
  counted share of the neuron-steps at which it is not.
* Spikes and gradients were compared before anything was timed. Spikes of bitspike and snnTorch are
  equal. SpikingJelly resets in the step of the spike and not one later: as much work, other spikes;
  it is compared with its own rule.
* snnTorch: batched Linear, loop over `unbind`. SpikingJelly: multi-step, torch backend. jax:
  `jit(lax.scan)`, compiled before. Dense products: torch's GEMMs of the step alone, no neuron.
* RLeaky: a dense connection from 512 neurons to themselves, in jax inside the scan; the row's
  weights, scaled so that about 3 % fire, are normal as well.
"""


def problems(options: Options) -> Iterator[Problem]:
    """Every row of the table, made when its turn comes."""
    cells = (TINY,) if options.tiny else CELLS
    for cell in cells:
        if options.only not in str(cell):
            continue
        yield lif_problem(cell)
        for density in (*DENSITIES, DENSE):
            yield linear_problem(cell, Task.FIRST, density)
            if density < DENSE:
                yield linear_problem(cell, Task.HIDDEN, density)
        if cell in (HIDDEN, TINY):
            yield linear_problem(cell, Task.HIDDEN, HIDDEN_DENSITY, WIDTH)


def measure(options: Options) -> Iterator[Row]:
    """Compares the results of all libraries, then times them, row by row."""
    for problem in problems(options):
        yield row(problem, options.rounds)
    if options.only in recurrent.LAYER:
        yield recurrent.measure(options.rounds)


def row(problem: Problem, rounds: int) -> Row:
    """Compares the results of all libraries, then times them."""
    steps = {
        "bitspike": bitspike(problem),
        "snnTorch": snntorch_loop(problem),
        "SpikingJelly": spikingjelly(problem),
    }
    ours = steps["bitspike"]()
    flips = {
        "snnTorch": gate.compare(ours, steps["snnTorch"](), exact=True),
        "SpikingJelly": gate.compare(
            immediate_reset(problem)(), steps["SpikingJelly"](), exact=False
        ),
    }
    if problem.width is None:
        steps["jax"] = jax_scan(problem)
        flips["jax"] = gate.compare(ours, steps["jax"](), exact=False)
    if problem.task is not Task.LIF:
        steps["dense products"] = dense_products(problem)
    surrogate = "" if problem.width is None else f", triangle({problem.width})"
    return Row(
        str(problem.cell),
        problem.task.value + surrogate,
        interleaved(steps, rounds),
        density_in=None if problem.density is None else problem.x.mean().item(),
        density_out=gate.dense(ours.spikes).mean().item(),
        active=None if problem.width is None else active(problem, problem.width),
        flips=flips,
    )


@torch.no_grad()
def active(problem: Problem, width: float) -> float:
    """The share of the neuron-steps nearer to the threshold than ``width``."""
    if problem.weight is None:
        raise ValueError("a LIF alone has no compact surrogate")
    currents = torch.nn.functional.linear(problem.x, problem.weight, problem.bias)
    neuron, near = Leaky(beta=BETA), 0.0
    membrane = neuron.reset_mem()
    for current in currents.unbind():
        _, membrane = neuron(current, membrane)
        near += ((membrane - 1).abs() < width).float().mean().item()
    return near / len(currents)


PART = Part(
    "Single layers",
    ("bitspike", "snnTorch", "SpikingJelly", "jax", "dense products"),
    NOTES,
    measure,
)
