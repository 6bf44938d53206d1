"""The keywords that neurons share; :class:`~bitspike.SpikingNeuron` explains them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from torch import Tensor

from .inhibition import KWTA


class Switches(TypedDict, total=False):
    """What snnTorch does not have: keywords only, which leave positions to its arguments."""

    detach_reset: bool
    order: str
    fire_at: str
    spike_range: tuple[int, int]
    multi_step: bool


class Firing(Switches, total=False):
    """What every neuron takes beside the parameters of its equation and its reset."""

    threshold: float | Tensor
    spike_grad: Callable[[Tensor], Tensor] | None
    surrogate_disable: bool
    init_hidden: bool
    inhibition: bool | KWTA
    learn_threshold: bool
    state_quant: Callable[[Tensor], Tensor] | bool
    output: bool
    graded_spikes_factor: float | Tensor
    learn_graded_spikes_factor: bool


class Options(Firing, total=False):
    """What a neuron takes beside the parameters of its equation."""

    reset_mechanism: str
    reset_delay: bool
