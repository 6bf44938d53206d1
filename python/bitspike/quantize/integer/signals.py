"""What is known of values while a graph is taken to integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Signal:
    """A value of spikes or integers."""

    scale: Tensor
    """What a unit is worth, float64, in the shape of a sample."""
    bound: Tensor
    """The largest magnitude of each neuron, int64, likewise."""
    is_spikes: bool = False

    @classmethod
    def spikes(cls, shape: tuple[int, ...]) -> Signal:
        """Zeros and ones."""
        ones = torch.ones(shape)
        return cls(ones.double(), ones.long(), is_spikes=True)


@dataclass(frozen=True)
class Product:
    """A product that waits for its readers, which may want another scale than its own."""

    scale: Tensor
    """Its own, in the shape of a sample."""
    emit: Callable[[Tensor], Signal]
    """Adds it with a scale for each output, and returns its value."""
