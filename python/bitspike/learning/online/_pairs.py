"""Rules with a trace on either side of a synapse."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from . import _synapses as synapses
from ._functions import Instead
from ._layer import Layer, Mechanism, Moment


class PostTrace(Mechanism):
    """``ψ̄[t] = λ·ψ̄[t-1] + ψ[t]`` and ``∂W += weight·s̄[t]·ψ̄[t-1]·x[t]``.

    Args:
        layer: The layer.
        leak: ``λ``.
        weight: Of this part of the gradient.
    """

    def __init__(self, layer: Layer, leak: float, weight: float) -> None:
        super().__init__(layer)
        self.leak = leak
        self.weight = weight

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        if self.trace and moment.x is not None:
            gradients = partial(self._gradients, self.trace["post"][0], moment)
            (spikes,) = self.layer.pass_beside(gradients, [spikes], ("weight", "bias"))
        psi = derivative_of_spikes(moment)
        old = self.trace.get("post")
        self.trace = {"post": [psi if old is None else self.leak * old[0] + psi]}
        return spikes

    def _gradients(
        self, post: Tensor, moment: Moment, adjoint: list[Tensor | None]
    ) -> dict[str, Tensor]:
        (grad,) = adjoint
        assert grad is not None and moment.x is not None
        grad, synapse, x = grad * post * self.weight, self.layer.synapse, moment.x[0]
        x = x.dense() if hasattr(x, "dense") else x
        found = {"weight": synapses.weight_gradient(synapse, x, grad)}
        return found | {"bias": synapses.bias_gradient(synapse, grad)}


class MeanDerivative(Mechanism):
    """Errors meet ``ψ̄[t] = λ·ψ̄[t-1] + (1-λ)·ψ[t]`` instead of ``ψ[t]``.

    Args:
        layer: The layer.
        leak: ``λ``; by default the decay of the neurons.
    """

    def __init__(self, layer: Layer, leak: Any) -> None:
        super().__init__(layer)
        self._leak = leak
        self._current: Tensor | None = None

    def traced(self, current: Tensor, is_block: bool) -> Tensor:
        self._current = current
        return current

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        leak = self._leak()
        psi = (1 - leak) * derivative_of_spikes(moment)
        old = self.trace.get("mean")
        mean = psi if old is None else leak * old[0] + psi
        self.trace = {"mean": [mean]}
        current, self._current = self._current, None
        if torch.is_grad_enabled():
            spikes = Instead.apply(spikes, current, mean)
        return spikes


def derivative_of_spikes(moment: Moment) -> Tensor:
    """``ψ``: of the spikes of one step by their current."""
    found = moment.derivatives.by_drive[0][0]
    shape = moment.current[0].shape
    return moment.current.new_zeros(shape) if found is None else found[0].expand(shape)
