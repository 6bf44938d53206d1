"""What is timed: one layer, its random input and the gradient that comes back to it.

All numbers that reach a product are dyadic (multiples of ``GRID``), so that currents are exact in
every order of summation, and libraries that compute the same dynamics must return the same spikes.
"""

import math
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

# 1 - 1/8, because SpikingJelly's ``v - v / 8`` then rounds as the ``0.875 * v`` of the others does.
BETA = 0.875
GRID = 2.0**-14
# Standard deviation over neurons and time of a membrane that never resets, in thresholds. With it
# 2 to 5 % of the neuron-steps fire (2 % where the input is dense).
MEMBRANE_DEVIATION = 1.0


class Task(Enum):
    """Which part of a training step, forward and backward, is timed."""

    LIF = "LIF alone"
    FIRST = "Linear + LIF, input without gradient"
    HIDDEN = "Linear + LIF, input with gradient"


# Half the width of the surrogate that is 0 further from the threshold: at most a tenth of the
# neuron-steps are nearer.
WIDTH = 0.2


@dataclass(frozen=True)
class Cell:
    """The sizes of a layer and of its input sequence."""

    steps: int
    batch: int
    inputs: int
    neurons: int

    def __str__(self) -> str:
        """Its name in tables."""
        return f"T={self.steps} B={self.batch} {self.inputs}→{self.neurons}"


CELLS = (
    Cell(500, 16, 512, 512),
    Cell(100, 128, 512, 512),
    Cell(500, 16, 2048, 2048),
    Cell(25, 128, 784, 1000),
)
DENSITIES = (0.01, 0.03, 0.10)
# Where spikes are no longer sparse: timed once per cell, for the first layer.
DENSE = 0.50


@dataclass(frozen=True)
class Problem:
    """One row of the table, with its data."""

    cell: Cell
    task: Task
    density: float | None
    x: Tensor
    """Currents [T, B, neurons] for the LIF alone, else spikes [T, B, inputs] as 0.0 and 1.0."""
    weight: Tensor | None
    bias: Tensor | None
    grad: Tensor
    """Of the output spikes [T, B, neurons]: dense and random, as a next layer would send it."""
    width: float | None = None
    """Of the surrogate: a triangle, or atan where there is none."""

    def __str__(self) -> str:
        """Its name in progress reports."""
        density = "" if self.density is None else f", {self.density:.0%}"
        return f"{self.cell}, {self.task.value}{density}"


def lif_problem(cell: Cell, seed: int = 0) -> Problem:
    """Normally distributed currents into a LIF layer."""
    generator = torch.Generator().manual_seed(seed)
    shape = (cell.steps, cell.batch, cell.neurons)
    deviation = MEMBRANE_DEVIATION * math.sqrt(1 - BETA**2)
    x = dyadic(deviation * torch.randn(shape, generator=generator))
    grad = torch.randn(shape, generator=generator)
    return Problem(cell, Task.LIF, None, x, None, None, grad)


def linear_problem(
    cell: Cell, task: Task, density: float, width: float | None = None, seed: int = 0
) -> Problem:
    """Bernoulli spikes through normally distributed weights into a LIF layer."""
    generator = torch.Generator().manual_seed(seed)
    shape = (cell.steps, cell.batch)
    x = (torch.rand(*shape, cell.inputs, generator=generator) < density).float()
    deviation = weight_deviation(cell.inputs, density)
    weight = dyadic(deviation * torch.randn(cell.neurons, cell.inputs, generator=generator))
    bias = torch.zeros(cell.neurons)
    grad = torch.randn(*shape, cell.neurons, generator=generator)
    return Problem(cell, task, density, x, weight, bias, grad, width)


def weight_deviation(inputs: int, density: float) -> float:
    """Standard deviation of the weights of neurons with so many inputs, of which a share fires.

    A current has the variance ``w² K p (1 - p)`` over time, which the leak sums to ``/ (1 - β²)``,
    and a mean that differs between neurons with the variance ``w² K p²``, summed to ``/ (1 - β)²``.
    The deviation ``w`` is chosen so that both together give ``MEMBRANE_DEVIATION``.
    """
    over_time = density * (1 - density) / (1 - BETA**2)
    over_neurons = (density / (1 - BETA)) ** 2
    return MEMBRANE_DEVIATION / math.sqrt(inputs * (over_time + over_neurons))


def dyadic(values: Tensor) -> Tensor:
    """The nearest multiples of ``GRID``."""
    return (values / GRID).round() * GRID
