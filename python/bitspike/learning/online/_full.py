"""The influence of each parameter of a recurrent layer on each of its neurons."""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import torch
from torch import Tensor, nn

from ._carried import Carried
from ._layer import Layer, Moment, Trace, is_bias, is_matrix

LARGEST = 1 << 16
"""Weights of a layer, of which each has an influence on every neuron."""


def refusal(layer: Layer) -> str | None:
    """Why a layer with a dense connection has no such trace, or None if it has one."""
    if not isinstance(layer.connection, nn.Linear):
        return "its connection is a convolution"
    if not isinstance(layer.synapse, nn.Linear | None):
        return "its synapse is a convolution"
    weights = layer.connection.weight.numel()
    if layer.synapse is not None:
        weights = max(weights, layer.synapse.weight.numel())
    return f"it has {weights} weights, more than {LARGEST}" if weights > LARGEST else None


class Full(Carried):
    """``ε[t] = D[t]·ε[t-1] + ∂s[t]/∂W`` with all that neurons of a layer send to each other.

    The influence of a weight is ``[B, U, M, N]``, of ``W_mn`` on neuron ``u``; that of a bias, or
    of a number of the equation, ``[B, U, M]``.
    """

    needs_states = True

    def advanced(self, moment: Moment) -> Trace:
        found, states = moment.derivatives, self.layer.carried
        weight = self.layer.connection.weight.detach()
        new: Trace = {}
        for name in self.layer.parameters():
            old = self.trace.get(name)
            back = None if old is None else torch.einsum("uv,bv...->bu...", weight, old[0])
            new[name] = []
            for i in states:
                parts = [self._direct(name, moment, moment.sources(1 + i)[name])]
                if old is not None:
                    factors = [*found.by_state[1 + i], found.by_drive[1 + i][1]]
                    parts += [
                        _times(factor[0], influence)
                        for factor, influence in zip(factors, [*old, back], strict=True)
                        if factor is not None and influence is not None
                    ]
                new[name].append(reduce(add, parts))
        return new

    def _direct(self, name: str, moment: Moment, source: Tensor | None) -> Tensor:
        """What the step itself does: each neuron to its own synapses."""
        own = torch.zeros_like(moment.current[0]) if source is None else source[0]
        own = torch.diag_embed(own.expand_as(moment.current[0]))
        if not is_matrix(name):
            return own
        x = moment.input_of(name)[1][0]
        return own.unsqueeze(-1) * (x.dense() if hasattr(x, "dense") else x)[:, None, None, :]

    def gradient(self, name: str, influence: Tensor, grad: Tensor) -> Tensor:
        result = torch.einsum("bu,bu...->b...", grad, influence)
        if is_matrix(name) or is_bias(name):
            return result.sum(0)
        return result.sum_to_size(self.layer.parameters()[name].shape)


def _times(factor: Any, influence: Tensor) -> Tensor:
    """A factor of each neuron times what is on it."""
    result: Tensor = factor.reshape(*factor.shape, *(1,) * (influence.dim() - 2)) * influence
    return result
