"""The influence of each parameter of a recurrent layer on the neurons that it reaches."""

from __future__ import annotations

from functools import partial, reduce
from operator import add

import torch
from torch import Tensor, nn

from ._carried import Carried
from ._layer import Layer, Moment, Trace, is_bias, is_matrix

LARGEST = 1 << 24
"""Influences of a layer's weights on its neurons, for one sample and state."""
NEURONS = "neurons"
"""The name in a trace of the table of neurons."""


def refusal(layer: Layer, steps: int | None) -> str | None:
    """Why a layer with a dense connection has no such trace, or None if it has one."""
    if not isinstance(layer.connection, nn.Linear):
        return "its connection is a convolution"
    if not isinstance(layer.synapse, nn.Linear | None):
        return "its synapse is a convolution"
    weights = layer.connection.weight.numel()
    if layer.synapse is not None:
        weights = max(weights, layer.synapse.weight.numel())
    count = weights * reached(layer.connection.weight, steps).shape[1]
    return f"its weights have {count} influences, more than {LARGEST}" if count > LARGEST else None


def reached(weight: Tensor, steps: int | None) -> Tensor:
    """The neurons that each one reaches, ``[M, K]``, in their order; what is left over is -1.

    Args:
        weight: Of the connection, ``[M, M]``; no spikes pass where it is 0.
        steps: Within so many, of which the first reaches the neuron itself; None for all neurons.
    """
    everyone = torch.arange(len(weight), device=weight.device)
    if steps is None:
        return everyone.expand(len(weight), -1)
    passes = (weight.detach() != 0).float()
    found = torch.eye(len(weight), device=weight.device)
    for _ in range(steps - 1):
        further = ((found + passes @ found) > 0).float()
        if torch.equal(further, found):
            break
        found = further
    # A column of `found` tells what a neuron reaches.
    is_reached = found.t() > 0
    order = torch.where(is_reached, everyone, len(weight)).sort(1).values
    order = order[:, : int(is_reached.sum(1).max())]
    return torch.where(order < len(weight), order, -1)


class Reach(Carried):
    """``ε[t] = D[t]·ε[t-1] + ∂s[t]/∂W`` with what neurons of a layer send to each other.

    Of neuron ``m`` and each of its ``K`` neurons there is the influence of the weights of ``m``,
    ``[B, M, K, N]``; that of a bias, or of a number of the equation, is ``[B, M, K]``. Influence on
    other neurons is dropped at each step, in the gradient of the step too.

    Args:
        layer: The layer.
        steps: Within which a neuron must be reached; None for all neurons.
    """

    needs_states = True

    def __init__(self, layer: Layer, steps: int | None) -> None:
        super().__init__(layer)
        self.steps = steps
        self._back: dict[str, Tensor] = {}

    def connected(self, feedback: Tensor) -> Tensor:
        """What comes back, whose gradient meets the influence that came with it."""
        if not self.trace:
            return feedback
        if not self._back:  # the derivatives of a step ask once more
            with torch.no_grad():
                self._back = self._sent_back()
        (feedback,) = self.layer.pass_beside(partial(self._of_feedback, self._back), [feedback])
        return feedback

    def _of_feedback(
        self, back: dict[str, Tensor], adjoint: list[Tensor | None]
    ) -> dict[str, Tensor]:
        (grad,) = adjoint
        assert grad is not None
        return {name: self.gradient(name, influence, grad) for name, influence in back.items()}

    def gradients(self, trace: Trace, adjoint: list[Tensor | None]) -> dict[str, Tensor]:
        # Spikes of the step before act through what comes back alone: see `connected`.
        influences = {name: kept for name, kept in trace.items() if name != NEURONS}
        return super().gradients(influences, [None, *adjoint[1:]])

    def advanced(self, moment: Moment) -> Trace:
        found, states = moment.derivatives, self.layer.carried
        if not self.trace:
            self.trace = {NEURONS: [reached(self.layer.connection.weight, self.steps)]}
        new: Trace = {NEURONS: self.trace[NEURONS]}
        for name in self.layer.parameters():
            old, new[name] = self.trace.get(name), []
            for i in states:
                parts = [self._direct(name, moment, moment.sources(1 + i)[name])]
                if old is not None:
                    factors = [*found.by_state[1 + i], found.by_drive[1 + i][1]]
                    parts += [
                        _times(self._of_neurons(factor[0]), influence)
                        for factor, influence in zip(factors, [*old, self._back[name]], strict=True)
                        if factor is not None
                    ]
                new[name].append(reduce(add, parts))
        self._back = {}
        return new

    def _sent_back(self) -> dict[str, Tensor]:
        """The influence on what comes back, through the connection."""
        neurons, weight = self.trace[NEURONS][0], self.layer.connection.weight.detach()
        spikes = {name: kept[0] for name, kept in self.trace.items() if name != NEURONS}
        if neurons.shape[1] == len(weight):
            return {
                name: torch.einsum("kl,bml...->bmk...", weight, x) for name, x in spikes.items()
            }
        to, by = neurons.unsqueeze(2), neurons.unsqueeze(1)
        between = torch.where((to >= 0) & (by >= 0), weight[to, by], 0.0)
        return {name: torch.einsum("mkl,bml...->bmk...", between, x) for name, x in spikes.items()}

    def _of_neurons(self, x: Tensor) -> Tensor:
        """A value of each neuron ``[B, M]`` at those that are reached, ``[B, M, K]``."""
        return x[:, self.trace[NEURONS][0].clamp(min=0)]

    def _direct(self, name: str, moment: Moment, source: Tensor | None) -> Tensor:
        """What the step itself does: each neuron to its own synapses."""
        neurons, like = self.trace[NEURONS][0], moment.current[0]
        own = torch.zeros_like(like) if source is None else source[0].expand_as(like)
        is_own = neurons == torch.arange(len(neurons), device=neurons.device).unsqueeze(1)
        own = own.unsqueeze(2) * is_own
        if not is_matrix(name):
            return own
        x = moment.input_of(name)[1][0]
        return own.unsqueeze(3) * (x.dense() if hasattr(x, "dense") else x)[:, None, None, :]

    def gradient(self, name: str, influence: Tensor, grad: Tensor) -> Tensor:
        result = torch.einsum("bmk,bmk...->bm...", self._of_neurons(grad), influence)
        if is_matrix(name) or is_bias(name):
            return result.sum(0)
        return result.sum_to_size(self.layer.parameters()[name].shape)


def _times(factor: Tensor, influence: Tensor) -> Tensor:
    """A factor of each neuron times what is on it."""
    return factor.reshape(*factor.shape, *(1,) * (influence.dim() - 3)) * influence
