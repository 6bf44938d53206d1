"""A filter on the eligibility of each synapse."""

from __future__ import annotations

from functools import partial, reduce
from operator import add

import torch
from torch import Tensor

from . import _synapses as synapses
from ._carried import Carried
from ._layer import Layer, Mechanism, Moment, Trace, is_bias, is_matrix


class Filtered(Mechanism):
    """``ē[t] = κ·ē[t-1] + e[t]`` with the influence ``e`` on spikes, whose gradient meets ``ē``.

    The network's own graph, and carried influence, give the part of the present ``e``; the filter
    adds that of ``κ·ē[t-1]``.

    Args:
        layer: The layer.
        kappa: ``κ``.
        gain: What ``e`` is multiplied with.
        carried: The influence on the states before, if the rule carries it.
    """

    needs_states = True

    def __init__(self, layer: Layer, kappa: float, gain: float, carried: Carried | None) -> None:
        super().__init__(layer)
        self.kappa = kappa
        self.gain = gain
        self.carried = carried

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        if self.trace and self.kappa:
            (spikes,) = self.layer.pass_beside(
                partial(self.gradients, self.trace, self.kappa), [spikes]
            )
        with torch.no_grad():
            present = self._present(moment)
            old = self.trace
            self.trace = {
                name: [self.kappa * old[name][0] + x] if old else [x] for name, x in present.items()
            }
        return spikes

    def gradients(
        self, trace: Trace, factor: float, adjoint: list[Tensor | None]
    ) -> dict[str, Tensor]:
        """``factor·Σ grad·ē`` by the name of parameters."""
        (grad,) = adjoint
        assert grad is not None
        grad = grad * factor
        found = {}
        for name, (each,) in trace.items():
            parameter = self.layer.parameters()[name]
            synapse = self.layer.connection if name.startswith("rec") else self.layer.synapse
            if is_matrix(name):
                found[name] = synapses.contracted(synapse, each, grad)
            elif is_bias(name):
                found[name] = synapses.bias_gradient(synapse, grad * each)
            else:
                found[name] = (grad * each).sum_to_size(parameter.shape)
        return found

    def _present(self, moment: Moment) -> dict[str, Tensor]:
        """``e[t]``: of what this step adds, and of what the states before carry to the spikes."""
        found = moment.derivatives
        sources = moment.sources(0)
        present = {}
        for name in self.layer.parameters():
            source = sources[name]
            own = torch.zeros_like(moment.current) if source is None else source * self.gain
            own = own.expand_as(moment.current)
            if is_matrix(name):
                synapse, x = moment.input_of(name)
                parts = [synapses.outer(synapse, x, own)]
            else:
                parts = [own[0]]
            if self.carried is not None and self.carried.trace:
                influences = self.carried.trace[name]
                for state, influence in zip(self.layer.carried, influences, strict=True):
                    factor = found.by_state[0][state]
                    if factor is not None:
                        factor = factor[0].expand_as(moment.current[0])
                        parts.append(self.carried.spread(name, influence, factor))
            present[name] = reduce(add, parts)
        return present
