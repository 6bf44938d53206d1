"""What tests compare with, and how."""

from typing import Any

import torch
from torch import Tensor

import bitspike as snn
from bitspike import surrogate

SURROGATES = (*(kind() for kind in surrogate.ALL), surrogate.Sigmoid(3.0), surrogate.Triangle(0.4))
"""All that run natively, two of them with other parameters."""

RESETS = (
    *((mechanism, True) for mechanism in snn.SpikingNeuron.reset_dict),
    *((mechanism, False) for mechanism in ("subtract", "zero", "none")),
)
"""Reset mechanisms with the values of ``reset_delay`` that they allow."""


def dense(x: Tensor) -> Tensor:
    """The numbers of a tensor, packed or not."""
    return x.dense() if isinstance(x, snn.SpikeTensor) else x


def first(result: Any) -> Any:
    """The spikes of what a neuron returns, with its states or without."""
    return result[0] if isinstance(result, tuple) else result


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same bits, where all NaN are one number and -0 is not 0."""
    a, b = dense(a).detach(), dense(b).detach()
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    nan = a.isnan()
    signs = a.signbit() == b.signbit()
    return bool(torch.where(nan, b.isnan(), (a == b) & signs).all())


def error(actual: Tensor, wanted: Tensor, *, least: float = 1e-30) -> float:
    """The largest difference, relative to the largest magnitude, but at least to ``least``."""
    if actual.shape != wanted.shape:
        return float("inf")
    if not wanted.numel():
        return 0.0
    actual, wanted = actual.detach().double(), wanted.detach().double()
    # NaN stays NaN here, and fails every comparison.
    return ((actual - wanted).abs().max() / wanted.abs().max().clamp(min=least)).item()


def step_by_step(neuron, x: Tensor, mem: Tensor) -> tuple[Tensor, Tensor]:
    """A sequence through single-step calls."""
    spikes, membranes = [], []
    for current in x.unbind(0):
        spike, mem = neuron(current, mem)
        spikes.append(spike)
        membranes.append(mem)
    return torch.stack(spikes), torch.stack(membranes)
