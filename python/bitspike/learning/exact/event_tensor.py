"""Spikes with times of their own, on no grid."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.ops.spike_times import Trains
from bitspike.spikes import SpikeTensor


class EventTensor(NamedTuple):
    """The spikes of a batch: when they occur, and of which neurons.

    Those of a sample lie side by side, in the order of their times.

    Example:
        >>> import torch
        >>> from bitspike.learning.exact import EventTensor
        >>> events = EventTensor.from_times(torch.tensor([[3.0, 1.0, torch.inf]]))
        >>> events.times, events.neurons
        (tensor([1., 3.], dtype=torch.float64), tensor([1, 0]))
        >>> events.first()
        tensor([[3., 1., inf]], dtype=torch.float64)
    """

    times: Tensor
    """float64 ``[events]``; autograd records what is made of it."""
    neurons: Tensor
    """int64 ``[events]``"""
    starts: Tensor
    """int64 ``[B + 1]``: where the spikes of each sample begin, and where the last ones end."""
    size: int
    """How many neurons there are."""

    @property
    def samples(self) -> Tensor:
        """Which sample each spike is of, int64 ``[events]``."""
        counts = self.starts.diff()
        return torch.repeat_interleave(_range(len(counts)), counts)

    @classmethod
    def from_times(cls, times: Tensor) -> EventTensor:
        """At most one spike of each neuron.

        Args:
            times: ``[B, N]``; infinite for a neuron that is silent.

        Raises:
            ValueError: if it has other axes, or a time is NaN or negatively infinite.
        """
        times = as_tensor(times, "times")
        if times.dim() != 2:
            raise ValueError(f"times must be [B, N], got a shape of {tuple(times.shape)}")
        values = with_values(times, "times")
        if bool((values.isnan() | (values == -math.inf)).any()):
            raise ValueError("times must be finite, or inf for a neuron that is silent")
        order = times.detach().argsort(dim=1, stable=True)
        in_order = times.gather(1, order)
        fires = in_order.detach() < math.inf
        starts = _starts(fires.sum(1))
        return cls(in_order[fires].double(), order[fires], starts, times.shape[1])

    @classmethod
    def from_spikes(cls, spikes: Tensor, dt: float) -> EventTensor:
        """The spikes of a recording, each at the beginning of its step.

        Args:
            spikes: A `SpikeTensor` or numbers, ``[T, B, N]``.
            dt: How long a step lasts.

        Raises:
            ValueError: if the recording has other axes.
        """
        spikes = with_values(as_tensor(spikes, "spikes"), "spikes")
        if spikes.dim() != 3:
            raise ValueError(f"spikes must be [T, B, N], got a shape of {tuple(spikes.shape)}")
        if isinstance(spikes, SpikeTensor):
            step, sample, neuron = spikes.to_events()
        else:
            step, sample, neuron = spikes.detach().nonzero(as_tuple=True)
        order = sample.argsort(stable=True)
        starts = _starts(torch.bincount(sample, minlength=spikes.shape[1]))
        return cls(step[order].double() * dt, neuron[order], starts, spikes.shape[2])

    def to_spikes(self, dt: float, steps: int) -> SpikeTensor:
        """Packed spikes ``[steps, B, N]``: whether a neuron fires at all in each step of ``dt``.

        Spikes before time 0 or after the last step are left out. Autograd does not record it.
        """
        # A time that is a multiple of dt but for rounding belongs to the step that it begins.
        step = (self.times.detach() / dt + 1e-9).floor().long()
        inside = (step >= 0) & (step < steps)
        t, b, n = (x[inside] for x in (step, self.samples, self.neurons))
        return SpikeTensor.from_events(t, b, n, (steps, len(self.starts) - 1, self.size))

    def counts(self) -> Tensor:
        """How often each neuron fires, int64 ``[B, N]``."""
        return torch.bincount(self._places(), minlength=self._rows()).view(-1, self.size)

    def first(self) -> Tensor:
        """When each neuron fires for the first time, ``[B, N]``; infinite if it is silent."""
        places = self._places()
        leads = places.new_full((self._rows(),), len(places))
        leads.scatter_reduce_(0, places, _range(len(places)), "amin")
        silent = self.times.new_full((1,), math.inf)
        return torch.cat([self.times, silent])[leads].view(-1, self.size)

    @property
    def trains(self) -> Trains:
        """As the native module takes it."""
        return Trains(starts=self.starts, times=self.times, neurons=self.neurons)

    def _places(self) -> Tensor:
        return self.samples * self.size + self.neurons

    def _rows(self) -> int:
        return (len(self.starts) - 1) * self.size


def _range(end: int) -> Tensor:
    return torch.arange(end, device="cpu")


def _starts(counts: Tensor) -> Tensor:
    """Where samples begin that have so many spikes, and where the last one ends."""
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])
