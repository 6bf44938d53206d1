"""What a neuron computes in a step: what stands between our classes and nodes of NIR."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor


def number(value: float) -> Tensor:
    """A number as the coefficient of an equation."""
    return torch.tensor(value, dtype=torch.float64)


@dataclass(frozen=True)
class Equation:
    """A step of a neuron.

    ``I = αI + w·x`` if there is an ``alpha``, else ``I = x``; then
    ``U = v_rest + β(U - v_rest) + g·I``, a spike where ``U > threshold``, and a reset.

    All coefficients are float64 and broadcast against the shape of one step.
    """

    beta: Tensor
    gain: Tensor = field(default_factory=lambda: number(1.0))
    """``g``"""
    alpha: Tensor | None = None
    w_in: Tensor = field(default_factory=lambda: number(1.0))
    """``w``"""
    threshold: Tensor | None = None
    """None for a neuron that does not fire, and whose output is ``U``."""
    reset: str = "none"
    """``"subtract"``, ``"zero"``, ``"subtract_beta"`` or ``"none"``, as in `SpikingNeuron`."""
    delayed: bool = True
    """Whether it acts one step after the spike."""
    v_rest: Tensor = field(default_factory=lambda: number(0.0))
    v_reset: Tensor = field(default_factory=lambda: number(0.0))
    """What ``"zero"`` resets to."""

    @property
    def has_potentials(self) -> bool:
        """Whether a potential of rest or reset is not zero."""
        return bool((self.v_rest != 0).any() or (self.v_reset != 0).any())

    def driven(self) -> Tensor:
        """The constant current that does what a potential of rest does: ``(1 - β)·v_rest``."""
        return (1 - self.beta) * self.v_rest


def collapsed(x: Tensor) -> Tensor:
    """A coefficient with an axis only where it differs along it, and those behind such an axis."""
    for axis in range(x.dim()):
        first = x.narrow(axis, 0, min(1, x.shape[axis]))
        if x.shape[axis] > 1 and bool((x == first).all()):
            x = first
    while x.dim() and x.shape[0] == 1:
        x = x[0]
    return x


def is_one(x: Tensor) -> bool:
    """Whether a coefficient is 1 in float32."""
    return bool((x.float() == 1).all())


def same(a: Tensor, b: Tensor) -> bool:
    """Whether two coefficients are equal in float32, for all neurons."""
    return bool((a.float() == b.float()).all())
