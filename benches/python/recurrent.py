"""A layer whose spikes come back through a dense connection: forward and backward over a sequence.

Currents and weights are dyadic, so that what comes back is exact in every order of summation.
"""

import math
from collections.abc import Callable

import jax
import snntorch
import torch
from jax import Array, lax
from jax import numpy as jnp
from torch import Tensor, nn

import bitspike as snn
import gate
from jax_peer import fire
from peers import Result, Step
from problem import BETA, GRID
from record import Row
from timing import interleaved

STEPS, BATCH, NEURONS = 100, 128, 512
LAYER = f"T={STEPS} B={BATCH} {NEURONS} recurrent"
# Standard deviations of the currents, and of what comes back if 3 % of the neurons fire.
EXTERNAL, RECURRENT = 0.45, 0.1
DENSITY = 0.03


class Problem:
    """Currents, weights, and the gradient of the spikes."""

    def __init__(self, seed: int = 0) -> None:
        """Draws normally distributed numbers."""
        generator = torch.Generator().manual_seed(seed)

        def normal(deviation: float, *shape: int) -> Tensor:
            return (deviation / GRID * torch.randn(shape, generator=generator)).round() * GRID

        self.x = normal(EXTERNAL, STEPS, BATCH, NEURONS)
        self.weight = normal(RECURRENT / math.sqrt(DENSITY * NEURONS), NEURONS, NEURONS)
        self.bias = torch.zeros(NEURONS)
        self.grad = torch.randn(STEPS, BATCH, NEURONS, generator=generator)


def bitspike(problem: Problem) -> Step:
    """Whole sequence in one call."""
    layer = snn.RLeaky(beta=BETA, linear_features=NEURONS, init_hidden=True, multi_step=True)

    def run(x: Tensor) -> Tensor:
        layer.reset_mem()
        return layer(x)

    return _torch_step(problem, layer, run)


def snntorch_loop(problem: Problem) -> Step:
    """A time loop over ``unbind``."""
    layer = snntorch.RLeaky(beta=BETA, linear_features=NEURONS)

    def run(x: Tensor) -> Tensor:
        spike = membrane = torch.zeros_like(x[0])
        spikes = []
        for current in x.unbind():
            spike, membrane = layer(current, spike, membrane)
            spikes.append(spike)
        return torch.stack(spikes)

    return _torch_step(problem, layer, run)


def _torch_step(problem: Problem, layer: nn.Module, run: Callable[[Tensor], Tensor]) -> Step:
    with torch.no_grad():
        layer.recurrent.weight.copy_(problem.weight)
        layer.recurrent.bias.copy_(problem.bias)
    x = problem.x.clone().requires_grad_()

    def step() -> Result:
        spikes = run(x)
        return Result(spikes, torch.autograd.grad(spikes, [*layer.parameters(), x], problem.grad))

    return step


def jax_scan(problem: Problem) -> Step:
    """One ``lax.scan`` with the product inside, compiled in the first call."""
    tensors = (problem.weight, problem.bias, problem.x, problem.grad)
    weight, bias, x, grad = (jnp.asarray(y.numpy()) for y in tensors)

    def layer(weight: Array, bias: Array, x: Array) -> Array:
        def step(state: tuple[Array, Array], current: Array) -> tuple[tuple[Array, Array], Array]:
            spikes, membrane = state
            reset = lax.stop_gradient(fire(membrane - 1))
            membrane = BETA * membrane + current + (spikes @ weight.T + bias) - reset
            spikes = fire(membrane - 1)
            return (spikes, membrane), spikes

        zero = jnp.zeros_like(x[0])
        return lax.scan(step, (zero, zero), x)[1]

    @jax.jit
    def compiled(*inputs: Array) -> tuple[Array, tuple[Array, ...]]:
        spikes, pull = jax.vjp(layer, *inputs)
        return spikes, pull(grad)

    return lambda: Result(*jax.block_until_ready(compiled(weight, bias, x)))


def measure(rounds: int) -> Row:
    """Compares the results of all libraries, then times them."""
    problem = Problem()
    steps = {
        "bitspike": bitspike(problem),
        "snnTorch": snntorch_loop(problem),
        "jax": jax_scan(problem),
    }
    ours = steps["bitspike"]()
    flips = {
        "snnTorch": gate.compare(ours, steps["snnTorch"](), exact=True),
        "jax": gate.compare(ours, steps["jax"](), exact=False),
    }
    density = gate.dense(ours.spikes).mean().item()
    times = interleaved(steps, rounds)
    return Row(LAYER, "RLeaky, input with gradient", times, density_out=density, flips=flips)
