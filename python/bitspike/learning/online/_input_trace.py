"""A filtered input for each synapse, whatever the neurons behind do."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from . import _synapses as synapses
from ._functions import Traced
from ._layer import Layer, Mechanism, Moment
from ._sums import weighted_sums


class InputTrace(Mechanism):
    """``μ[t] = λμ[t-1] + x[t]`` and ``∂W = Σ_t gain·δ[t]·μ[t]``, with the error ``δ`` of each step.

    Args:
        layer: The layer.
        leak: ``λ``; by default the decay of the neurons.
        gain: What the gradient is multiplied with.
    """

    def __init__(self, layer: Layer, leak: float | None, gain: float) -> None:
        super().__init__(layer)
        self._leak = leak
        self.gain = gain

    @property
    def leak(self) -> float:
        """``λ``."""
        if self._leak is not None:
            return self._leak
        decay: float = self.layer.neuron.beta.detach().clamp(0, 1).item()
        return decay

    def traced(self, current: Tensor, is_block: bool) -> Tensor:
        if not torch.is_grad_enabled():
            return current
        names = [name for name in self.layer.parameters() if name in ("weight", "bias")]
        parameters = [self.layer.parameters()[name] for name in names]
        gradients = partial(self._gradients, dict(self.trace))
        factors = self.leak, self.gain, is_block
        result: Tensor = Traced.apply(gradients, names, factors, current, *parameters)
        return result

    def _gradients(self, trace: dict[str, list[Tensor]], grad: Tensor) -> dict[str, Tensor]:
        """Those that the trace before the first step causes."""
        synapse, found = self.layer.synapse, {}
        if "weight" in trace:
            found["weight"] = synapses.weight_gradient(synapse, trace["weight"][0], grad)
        if "bias" in trace:
            found["bias"] = synapses.bias_gradient(synapse, grad * trace["bias"][0])
        return found

    def leave(self, spikes: Tensor, moment: Moment) -> Tensor:
        if moment.x is None:
            return spikes
        leak, steps = self.leak, moment.steps
        weights = moment.current.new_tensor([[leak ** (steps - 1 - t) for t in range(steps)]])
        new = weighted_sums(moment.x, weights)[0], weights.sum()
        for name, added in zip(("weight", "bias"), new, strict=True):
            old = self.trace.get(name)
            self.trace[name] = [added if old is None else old[0] * leak**steps + added]
        return spikes
