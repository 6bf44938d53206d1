"""Networks of Linear and LIF in jax, a train step with Adam under one ``jit``."""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax import numpy as jnp

from contenders import LEARNING_RATE
from jax_peer import linear_lif
from nets import Start
from peers import Result

Parameters = list[tuple[Array, Array]]
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Network:
    """Weights, input and labels, and compiled functions of them."""

    def __init__(self, start: Start) -> None:
        """Takes over the common weights."""
        weights = (jnp.asarray(weight.numpy()) for weight in start.weights)
        self.parameters: Parameters = [(weight, jnp.zeros(len(weight))) for weight in weights]
        self.x, self.labels = jnp.asarray(start.x.numpy()), jnp.asarray(start.labels.numpy())

    def training(self) -> Callable[[], object]:
        """One step of Adam, on the cross entropy of spike counts; compiled here."""
        zeros = jax.tree.map(jnp.zeros_like, self.parameters)
        state = (self.parameters, zeros, zeros, jnp.zeros(()))
        compiled = jax.jit(_adam_step).lower(*state, self.x, self.labels).compile()

        def step() -> object:
            nonlocal state
            state = jax.block_until_ready(compiled(*state, self.x, self.labels))
            return state

        return step

    def inference(self) -> Callable[[], Array]:
        """Spike counts; compiled here."""
        compiled = jax.jit(lambda parameters, x: _run(parameters, x).sum(0))
        compiled = compiled.lower(self.parameters, self.x).compile()
        return lambda: jax.block_until_ready(compiled(self.parameters, self.x))

    def result(self) -> Result:
        """Output spikes and gradients of weights and biases."""
        spikes = jax.jit(_run)(self.parameters, self.x)
        gradients = jax.jit(jax.grad(_loss))(self.parameters, self.x, self.labels)
        return Result(spikes, jax.tree.leaves(gradients))


def _run(parameters: Parameters, x: Array) -> Array:
    for weight, bias in parameters:
        x = linear_lif(weight, bias, x)
    return x


def _loss(parameters: Parameters, x: Array, labels: Array) -> Array:
    logits = jax.nn.log_softmax(_run(parameters, x).sum(0))
    return -jnp.take_along_axis(logits, labels[:, None], 1).mean()


def _adam_step(
    parameters: Parameters, first: Any, second: Any, count: Array, x: Array, labels: Array
) -> tuple[Any, Any, Any, Array]:
    gradients = jax.grad(_loss)(parameters, x, labels)
    count = count + 1
    first = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, first, gradients)
    second = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, second, gradients)
    rate = LEARNING_RATE / (1 - BETA_1**count)

    def moved(p: Array, m: Array, v: Array) -> Array:
        return p - rate * m / (jnp.sqrt(v / (1 - BETA_2**count)) + EPSILON)

    return jax.tree.map(moved, parameters, first, second), first, second, count
