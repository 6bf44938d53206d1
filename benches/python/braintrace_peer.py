"""Online gradients of one layer with braintrace: compiled, over the whole sequence in one call."""

from collections.abc import Callable

import brainstate
import braintrace
import jax
import torch
from jax import Array
from jax import numpy as jnp
from torch import Tensor

from jax_peer import fire
from problem import BETA

RULES = {"RTRL": braintrace.D_RTRL, "EProp": braintrace.EProp}


class Layer(brainstate.nn.Module):
    """A product and the Leaky of snnTorch: it resets one step after the spike, detached."""

    def __init__(self, weight: Array) -> None:
        """Takes the weight ``[inputs, outputs]``."""
        super().__init__()
        self.weight = brainstate.ParamState(weight)

    def init_state(self, batch_size: int, **_: object) -> None:
        """Neurons at rest."""
        self.membrane = brainstate.HiddenState(jnp.zeros((batch_size, self.weight.value.shape[1])))

    def update(self, x: Array) -> Array:
        """Spikes of one step."""
        current = braintrace.matmul(x, self.weight.value)
        before = self.membrane.value
        self.membrane.value = BETA * before + current - jax.lax.stop_gradient(fire(before - 1))
        return fire(self.membrane.value - 1)


def learner(
    x: Tensor, costs: Tensor, weights: list[Tensor], rule: str, block: int
) -> Callable[[], list[Tensor]]:
    """The gradient of one layer's weight, in windows of so many steps; the first call compiles."""
    (weight,) = weights
    batch = x.shape[1]
    model = Layer(jnp.asarray(weight.t().contiguous().numpy()))
    inputs, cost = jnp.asarray(x.numpy()), jnp.asarray(costs.numpy())
    is_stepwise = block == 1
    options = {} if is_stepwise else {"vjp_method": "multi-step"}
    learns = braintrace.compile(model, RULES[rule], inputs[0], batch_size=batch, **options)

    def loss(some: Array, cost: Array) -> Array:
        if is_stepwise:
            return (learns.update(some) * cost).sum()
        return (learns.update(braintrace.MultiStepData(some)) * cost).sum((1, 2))

    @brainstate.transform.jit
    def gradient(inputs: Array, cost: Array) -> object:
        brainstate.nn.init_all_states(model, batch_size=batch)
        learns.reset_state(batch_size=batch)
        return learns.etrace_grad(
            inputs,
            cost,
            step_fn=loss,
            reduction="sum",
            chunk_size=None if is_stepwise else block,
        )

    def step() -> list[Tensor]:
        (found,) = jax.tree.leaves(jax.block_until_ready(gradient(inputs, cost)))
        return [torch.from_dlpack(found).t()]

    return step
