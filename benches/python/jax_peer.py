"""The same layer in jax: a batched product, then ``lax.scan``, all under one ``jit``."""

import os

import jax
import torch
from jax import Array, lax
from jax import numpy as jnp

from peers import Result, Step
from problem import BETA, Problem, Task

# XLA starts its thread pool at the first computation: as many threads as torch uses.
os.environ["NPROC"] = str(torch.get_num_threads())
jax.config.update("jax_platforms", "cpu")


@jax.custom_vjp
def fire(above: Array) -> Array:
    """Heaviside, with the derivative of atan (alpha = 2) in backward."""
    return (above > 0).astype(jnp.float32)


def _fire_forward(above: Array) -> tuple[Array, Array]:
    return fire(above), above


def _fire_backward(above: Array, grad: Array) -> tuple[Array]:
    return (grad / (1 + (jnp.pi * above) ** 2),)


fire.defvjp(_fire_forward, _fire_backward)


def lif(current: Array) -> Array:
    """The Leaky of snnTorch: subtracts the threshold one step after the spike, detached."""

    def step(membrane: Array, current: Array) -> tuple[Array, Array]:
        reset = lax.stop_gradient(fire(membrane - 1))
        membrane = BETA * membrane + current - reset
        return membrane, fire(membrane - 1)

    return lax.scan(step, jnp.zeros_like(current[0]), current)[1]


def linear_lif(weight: Array, bias: Array, x: Array) -> Array:
    """The layer of the tasks with a product."""
    return lif(x @ weight.T + bias)


def jax_scan(problem: Problem) -> Step:
    """Spikes and gradients from one compiled function; compiling happens in the first call."""
    x, grad = jnp.asarray(problem.x.numpy()), jnp.asarray(problem.grad.numpy())
    if problem.weight is None or problem.bias is None:
        layer, inputs = lif, [x]
    else:
        layer, inputs = linear_lif, [jnp.asarray(t.numpy()) for t in (problem.weight, problem.bias)]
        inputs.append(x)

    @jax.jit
    def compiled(*inputs: Array) -> tuple[Array, tuple[Array, ...]]:
        if problem.task is Task.FIRST:
            spikes, pull = jax.vjp(lambda weight, bias: layer(weight, bias, inputs[2]), *inputs[:2])
        else:
            spikes, pull = jax.vjp(layer, *inputs)
        return spikes, pull(grad)

    def step() -> Result:
        return Result(*jax.block_until_ready(compiled(*inputs)))

    return step
