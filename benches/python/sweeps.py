"""How a layer's gain depends on density and sizes: one of them is varied at a time."""

from collections.abc import Iterator
from dataclasses import replace

import layers
from problem import Cell, Task, linear_problem
from record import Options, Part, Row

CENTRE, TINY, DENSITY = Cell(100, 32, 512, 512), Cell(10, 4, 60, 40), 0.03
DENSITIES = (0.01, 0.02, 0.05, 0.10, 0.20, 0.40, 0.70, 1.00)
STEPS = (5, 10, 25, 50, 200, 400)
BATCHES = (1, 4, 8, 16, 64, 128)
NEURONS = (64, 128, 256, 1024, 2048)
NOTES = f"""
* Linear and LIF, forward and backward, with numbers as in the table of single layers. Around
  {CENTRE} at {DENSITY:.0%} input, density, T, B, or inputs and neurons are varied, one at a time.
* Milliseconds are medians of alternating rounds, ± half the distance between the quartiles. The
  other columns say how many times as long a peer took: above 1, bitspike is faster.
* Dense products: torch's GEMMs of the step alone, without a neuron.
"""


def points(tiny: bool) -> Iterator[tuple[Cell, float]]:
    """Each point once."""
    if tiny:
        yield TINY, DENSITY
        return
    yield CENTRE, DENSITY
    yield from ((CENTRE, density) for density in DENSITIES)
    steps, batch, inputs, neurons = CENTRE.steps, CENTRE.batch, CENTRE.inputs, CENTRE.neurons
    yield from ((Cell(t, batch, inputs, neurons), DENSITY) for t in STEPS)
    yield from ((Cell(steps, b, inputs, neurons), DENSITY) for b in BATCHES)
    yield from ((Cell(steps, batch, n, n), DENSITY) for n in NEURONS)


def measure(options: Options) -> Iterator[Row]:
    """Compares spikes and gradients at each point, then times them."""
    for cell, density in points(options.tiny):
        for task in (Task.FIRST, Task.HIDDEN) if options.only in str(cell) else ():
            yield row(cell, task, density, options.rounds)


def row(cell: Cell, task: Task, density: float, rounds: int) -> Row:
    """A layer in all libraries, under the density that was asked for."""
    return replace(layers.row(linear_problem(cell, task, density), rounds), density_in=density)


PART = Part("Density and sizes", layers.PART.libraries, NOTES, measure)
