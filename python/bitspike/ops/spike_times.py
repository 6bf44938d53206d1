"""Layers in continuous time: allocation and the native calls.

All times, weights and delays are float64, and what says which neuron or sample is int64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from . import _native, buffer
from .route import unrecorded


class Trains(NamedTuple):
    """The spikes of all samples, one sample after another, in each in the order of their times."""

    starts: Tensor
    """Where each sample begins, and where the last one ends: ``[B + 1]``."""
    times: Tensor
    neurons: Tensor


class Layer(NamedTuple):
    """A layer as the native module takes it, which knows these by their order."""

    constants: tuple[float, float, float]
    """``(tau_mem, tau_syn, threshold)``"""
    sizes: list[int]
    """Of neurons and inputs."""
    weights: Tensor
    """``[neurons, inputs]``"""
    delays: Tensor | None
    recurrent_weights: Tensor | None
    """``[neurons, neurons]``"""
    recurrent_delays: Tensor | None
    until: float
    """Neurons fire until then."""
    limit: int
    """The most spikes of a neuron in a sample."""


class Fired(NamedTuple):
    """The spikes of a layer."""

    trains: Trains
    slopes: Tensor
    """How fast the membrane rose where it reached the threshold."""


@unrecorded
def forward(layer: Layer, inputs: Trains) -> Fired:
    """Runs a layer.

    Raises:
        ValueError: if sizes do not fit, or times of a sample do not ascend.
    """
    fired = _native.spike_times_forward(layer, inputs)
    trains = Trains(
        starts=buffer.empty((len(inputs.starts),), torch.int64),
        times=buffer.empty((len(fired),), torch.float64),
        neurons=buffer.empty((len(fired),), torch.int64),
    )
    slopes = buffer.empty((len(fired),), torch.float64)
    fired.write(*trains, slopes)
    return Fired(trains, slopes)


@unrecorded
def backward(
    layer: Layer, inputs: Trains, fired: Fired, upstream: Tensor, need: Sequence[bool]
) -> list[Tensor | None]:
    """Sends the gradients of the times of a layer's spikes back.

    Args:
        layer: As it ran.
        inputs: What it got.
        fired: What it returned.
        upstream: The gradient of each of its times.
        need: Whether those of the times of the inputs, of weights, delays, recurrent weights and
            recurrent delays are wanted.

    Returns:
        These gradients, each like what it is of; None where it is not wanted.
    """
    among = (layer.recurrent_weights, layer.recurrent_delays)
    parts = (inputs.times, layer.weights, layer.delays, *among)
    times, weights, delays, recurrent_weights, recurrent_delays = out = [
        buffer.empty(tuple(part.shape), torch.float64) if part is not None and wanted else None
        for part, wanted in zip(parts, need, strict=True)
    ]
    _native.spike_times_backward(
        layer,
        inputs,
        fired.trains,
        fired.slopes,
        upstream,
        times=times,
        weights=weights,
        delays=delays,
        recurrent_weights=recurrent_weights,
        recurrent_delays=recurrent_delays,
    )
    return out
