"""What keeps activity within limits: sums of weights, rates of neurons, thresholds."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from bitspike.monitors import OutputMonitor

from .places import Rows
from .recording import first
from .rule import SynapticRule


class WeightNormalisation(SynapticRule):
    r"""Gives the weights of every output the same sum.

    .. math::
        W_{ij} ← W_{ij} \frac{\text{total}}{\sum_j W_{ij}}

    It needs no neuron, and no records: `step` normalises. Outputs whose sum is 0 stay as they are.

    Args:
        total: The sum of the weights of an output.

    Raises:
        ValueError: if the sum is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(fc.weight, 0.25)
        >>> plasticity.WeightNormalisation(total=3.0).attach(fc).step()
        >>> fc.weight.data
        tensor([[1.5000, 1.5000]])
    """

    def __init__(self, total: float = 1.0) -> None:
        super().__init__()
        if not total > 0:
            raise ValueError(f"{self.name}: total={total} must be positive")
        self.total = total

    @torch.no_grad()
    def step(self, lr: float | None = None, *, on_grad: bool = False) -> None:
        """Normalises the weights.

        Args:
            lr: Not taken: weights are normalised, or not.
            on_grad: Not taken.

        Raises:
            RuntimeError: if the rule is not attached.
            ValueError: if either is given.
        """
        if lr is not None or on_grad:
            raise ValueError(f"{self.name} has neither lr nor on_grad: call step()")
        self.clip()
        self._forget_records()

    def _within(self, weight: Tensor) -> Tensor:
        sums = weight.flatten(1).sum(1).view(-1, *(1,) * (weight.dim() - 1))
        return torch.where(sums == 0, weight, weight * (self.total / sums))


class SynapticScaling(SynapticRule):
    r"""Scales all weights of a neuron towards the rate at which it should fire.

    .. math::
        ΔW_{ij} = η\, W_{ij} (ρ_0 - \bar S_i)

    at every step, with the mean ``S̄`` over samples and places. Ratios of weights stay.

    Source: Turrigiano et al. 1998; van Rossum, Bi & Turrigiano 2000.

    Args:
        rate: ``ρ₀``, spikes per step.

    Raises:
        ValueError: if the rate is not positive.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import plasticity
        >>> fc = nn.Linear(1, 1)
        >>> _ = nn.init.constant_(fc.weight, 2.0)
        >>> rule = plasticity.SynapticScaling(rate=0.5).attach(fc)
        >>> rule.record(torch.ones(1, 1), torch.zeros(1, 1))
        >>> rule.step(lr=0.1)
        >>> fc.weight.data
        tensor([[2.1000]])
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not rate > 0:
            raise ValueError(f"{self.name}: rate={rate} must be positive")
        self.rate = rate

    def _missing(self, rows: Rows, weight: Tensor) -> Tensor:
        """How much of the rate is missing at every step, ``[T, outputs, 1]``."""
        fired = rows.post.sum(1) / max(rows.post.shape[1], 1)
        return (self.rate - fired.to(weight.dtype)).unsqueeze(2)

    def _learned(self, rows: Rows, weight: Tensor, state: dict[str, Tensor], lr: float) -> Tensor:
        for missing in self._missing(rows, weight):
            weight = weight + lr * (weight * missing)
        return weight

    def _changed(
        self, rows: Rows, weight: Tensor, state: dict[str, Tensor], change: Tensor
    ) -> Tensor:
        return change + weight * self._missing(rows, weight).sum(0)


class IntrinsicHomeostasis:
    r"""Moves the thresholds of neurons towards the rate at which they should fire.

    .. math::
        θ_i ← θ_i + η (\bar S_i - ρ_0)

    at every recorded step, with the mean ``S̄`` over samples and places.

    Args:
        rate: ``ρ₀``, spikes per step.
        minimum: Below which no threshold falls.

    Raises:
        ValueError: if the rate is not positive.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike import plasticity
        >>> lif = snn.Leaky(beta=0.5, init_hidden=True, multi_step=True)
        >>> rule = plasticity.IntrinsicHomeostasis(rate=0.1).attach(lif)
        >>> _ = lif(torch.full((10, 1, 3), 2.0))  # they fire at every step
        >>> rule.step(lr=0.01)
        >>> lif.threshold
        tensor([1.0900, 1.0900, 1.0900])
    """

    def __init__(self, rate: float, minimum: float = 0.0) -> None:
        if not rate > 0:
            raise ValueError(f"IntrinsicHomeostasis: rate={rate} must be positive")
        self.rate = rate
        self.minimum = minimum
        self._neuron: Any = None

    def attach(self, neuron: nn.Module) -> IntrinsicHomeostasis:
        """Records what the neuron returns, from now on.

        Args:
            neuron: A neuron with a ``threshold``.

        Returns:
            The rule.

        Raises:
            TypeError: if it has none.
            RuntimeError: if the rule is attached already.
        """
        if self._neuron is not None:
            raise RuntimeError("IntrinsicHomeostasis is attached already")
        if not isinstance(getattr(neuron, "threshold", None), Tensor):
            raise TypeError(
                "IntrinsicHomeostasis: neuron must have a threshold, as bitspike's have, and "
                f"{type(neuron).__name__} has none"
            )
        self._neuron = neuron
        returns = partial(first, "IntrinsicHomeostasis: neuron must return spikes first")
        self._monitor = OutputMonitor(neuron, function_on_output=returns)
        return self

    @torch.no_grad()
    def step(self, lr: float = 1.0) -> None:
        """Moves the thresholds by what was recorded since the last call, and forgets the records.

        Args:
            lr: ``η``

        Raises:
            RuntimeError: if the rule is not attached.
            ValueError: if the spikes do not fit the thresholds.
        """
        if self._neuron is None:
            raise RuntimeError("IntrinsicHomeostasis has no neuron: call attach(neuron) first")
        threshold: Tensor = self._neuron.threshold
        for spikes in self._monitor[""]:
            threshold = self._moved(threshold, spikes, lr)
        self._monitor.clear_recorded_data()
        if isinstance(self._neuron.threshold, nn.Parameter):
            if threshold.shape != self._neuron.threshold.shape:
                raise ValueError(
                    "IntrinsicHomeostasis: a learned threshold must have one value for each "
                    f"neuron: threshold=torch.ones({list(threshold.shape)})"
                )
            self._neuron.threshold.copy_(threshold)
        else:
            self._neuron.threshold = threshold

    def _moved(self, threshold: Tensor, spikes: Tensor, lr: float) -> Tensor:
        """Thresholds after the spikes ``[T, B, C, *]`` or ``[B, C, *]`` of a call."""
        is_sequence = bool(getattr(self._neuron, "multi_step", False))
        channels = spikes.dim() - 2 - is_sequence
        if channels < 0:
            raise ValueError(
                "IntrinsicHomeostasis: spikes must be [B, N] at each step, not "
                f"{list(spikes.shape[is_sequence:])}"
            )
        steps = spikes if is_sequence else spikes.unsqueeze(0)
        wide = (1,) * channels
        for fired in steps:
            mean = fired.to(threshold.dtype).transpose(0, 1).flatten(1).mean(1).view(-1, *wide)
            mean = mean if channels else mean.flatten()
            threshold = (threshold + lr * (mean - self.rate)).clamp(min=self.minimum)
        return threshold
