"""The influence of all parameters on all states, estimated in one random direction."""

from __future__ import annotations

from functools import partial, reduce
from operator import add
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from . import _synapses as synapses
from ._layer import Layer, Mechanism, Moment, Trace, is_bias, is_matrix

TINY = 1e-12


class RankOne(Mechanism):
    r"""``ε ≈ s̃·θ̃``, whose mean over random signs ``ν`` is the influence.

    ``s̃ ← ρ₀·F_s·s̃ + ρ₁·ν`` and ``θ̃ ← θ̃/ρ₀ + νF_θ/ρ₁``, where ``F`` is a step's derivative by the
    states before and by the parameters.

    Args:
        layer: The layer.
        generator: Of the signs.
    """

    needs_states = True

    def __init__(self, layer: Layer, generator: torch.Generator) -> None:
        super().__init__(layer)
        self.generator = generator

    def enter(self, before: list[Tensor]) -> list[Tensor]:
        if not self.trace:
            return before
        return self.layer.pass_beside(partial(self._gradients, self.trace), before)

    def _gradients(self, trace: Trace, adjoint: list[Tensor | None]) -> dict[str, Tensor]:
        pairs = zip(adjoint, trace["states"], strict=True)
        terms = [(grad * state).flatten(1).sum(1) for grad, state in pairs if grad is not None]
        along = reduce(add, terms)
        found = {}
        for name, parameter in self.layer.parameters().items():
            each = trace[name][0]
            scaled = along.reshape(-1, *(1,) * (each.dim() - 1)) * each
            if is_matrix(name):
                found[name] = scaled.sum(0).reshape(parameter.shape)
            elif is_bias(name):
                synapse = self.layer.synapse if name == "bias" else self.layer.connection
                found[name] = synapses.bias_gradient(synapse, scaled)
            else:
                found[name] = scaled.sum_to_size(parameter.shape)
        return found

    def signs(self, like: Tensor) -> Tensor:
        """``ν`` of one state: 1 or -1 for each neuron."""
        drawn = torch.randint(2, like.shape, generator=self.generator, device="cpu")
        return (2 * drawn - 1).to(like)

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        with torch.no_grad():
            self.trace = self._advanced(moment)
        return spikes

    def _advanced(self, moment: Moment) -> Trace:
        layer, found = self.layer, moment.derivatives
        states = layer.carried
        signs = [self.signs(moment.current[0]) for _ in states]
        added: Trace = {}
        for name in layer.parameters():
            rows = [moment.sources(1 + i)[name] for i in states]
            pairs = zip(signs, rows, strict=True)
            sources = [sign * row[0] for sign, row in pairs if row is not None]
            post = reduce(add, sources) if sources else torch.zeros_like(signs[0])
            if is_matrix(name):
                synapse, x = moment.input_of(name)
                post = synapses.outer(synapse, x, post.unsqueeze(0)).sum(3)
            added[name] = [post]
        if not self.trace:
            return {"states": signs, **added}
        old = self.trace["states"]
        back = connected(layer, old[0])
        moved = []
        for i in states:
            terms = [
                factor[0] * state
                for factor, state in zip(found.by_state[1 + i], old, strict=True)
                if factor is not None
            ]
            if back is not None and (factor := found.by_drive[1 + i][1]) is not None:
                terms.append(factor[0] * back)
            moved.append(reduce(add, terms) if terms else torch.zeros_like(old[0]))
        kept = [self.trace[name][0] for name in added]
        first = _ratio(_norm(kept), _norm(moved))
        second = _ratio(_norm([x for (x,) in added.values()]), _norm(signs))
        both = zip(moved, signs, strict=True)
        new = [_scaled(x, first) + _scaled(sign, second) for x, sign in both]
        return {
            "states": new,
            **{
                name: [_scaled(self.trace[name][0], 1 / first) + _scaled(x, 1 / second)]
                for name, (x,) in added.items()
            },
        }


def connected(layer: Layer, spikes: Tensor) -> Tensor | None:
    """What a layer sends to itself of spikes, or of directions of them, without a bias.

    None if nothing comes back but what each neuron sends to itself.
    """
    connection: Any = layer.connection
    if not layer.has_dense_connection():
        return None
    if isinstance(connection, nn.Linear):
        return F.linear(spikes, connection.weight.detach())
    return F.conv2d(spikes, connection.weight.detach(), padding=connection.padding)


def _norm(parts: list[Tensor]) -> Tensor:
    """Of each sample."""
    return torch.stack([x.flatten(1).square().sum(1) for x in parts]).sum(0).sqrt()


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    return ((a + TINY) / (b + TINY)).sqrt()


def _scaled(x: Tensor, factor: Tensor) -> Tensor:
    return x * factor.reshape(-1, *(1,) * (x.dim() - 1))
