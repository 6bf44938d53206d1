"""Packed spikes of neurons that run in torch."""

from __future__ import annotations

from bitspike.spikes.dense import like_native

from .constants import spikes_are_bits
from .neuron import SpikingNeuron
from .run import Run


class Packing(SpikingNeuron):
    """Base of the neurons without a kernel that return spikes in the form in which kernels do."""

    def _returned(self, result: Run, sequence: bool) -> Run:
        if spikes_are_bits(self):
            return result._replace(spikes=like_native(result.spikes, sequence))
        return result
