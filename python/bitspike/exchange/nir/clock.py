"""Time in steps and in seconds: decays per step, and time constants."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from bitspike.arguments import expect_choice

from .errors import NIRError


class Clock(NamedTuple):
    """How a differential equation becomes steps: the one place where time constants are decays.

    All numbers are float64. A decay of float32 that is 0, or at least 2^-27, comes back as it was:
    what two divisions round is far less than half of its last place.
    """

    dt: float
    """Seconds, or whatever unit time constants have, per step."""
    exact: bool = False
    """Whether a step is the solution of the equation for an input that is constant during the step,
    and not Euler's approximation."""

    @classmethod
    def of(cls, dt: float, discretization: str) -> Clock:
        """Checks the arguments of users.

        Raises:
            ValueError: for a ``dt`` that is no positive number, and an unknown discretisation.
        """
        expect_choice("discretization", discretization, ("euler", "exact"))
        if not 0 < float(dt) < math.inf:
            raise ValueError(f"dt must be a positive number of seconds per step, not {dt}")
        return cls(float(dt), discretization == "exact")

    @property
    def discretization(self) -> str:
        """Its name."""
        return "exact" if self.exact else "euler"

    def _over(self, x: Tensor) -> Tensor:
        """``dt/x``, rounded once: torch multiplies a Python number by the reciprocal."""
        return torch.tensor(self.dt, dtype=torch.float64) / x

    def decay(self, tau: Tensor) -> Tensor:
        """What is left of a potential after a step."""
        return torch.exp(-self._over(tau)) if self.exact else 1 - self._over(tau)

    def time_constant(self, decay: Tensor) -> Tensor:
        """The inverse of `decay`.

        Raises:
            NIRError: for a decay that no time constant has.
        """
        if bool((decay == 1).any()):
            raise NIRError(
                "a decay of 1 has no time constant, and NIR's node without leak (IF) is one without"
                " leak for all neurons: use IF, or decays below 1"
            )
        if self.exact:
            if bool((decay == 0).any()):
                raise NIRError('a decay of 0 has no time constant; use discretization="euler"')
            return -self._over(torch.log(decay))
        return self._over(1 - decay)

    def keeps(self, decay: Tensor) -> bool:
        """Whether a decay of float32 comes back from its time constant."""
        finite = decay[decay != 1]
        return bool((self.decay(self.time_constant(finite)).float() == finite.float()).all())

    def gain(self, tau: Tensor) -> Tensor:
        """What a step adds to a potential for an input of 1 and a resistance of 1."""
        return -torch.expm1(-self._over(tau)) if self.exact else self._over(tau)

    def synapse_gain(self, tau: Tensor) -> Tensor:
        """What a spike of 1, which lasts for a step, adds to a synaptic current."""
        return self._over(tau)

    def membrane_gain(self, tau_syn: Tensor, tau_mem: Tensor) -> Tensor:
        """What a synaptic current of 1 at the start of a step adds to a membrane behind it."""
        if not self.exact:
            return self._over(tau_mem)
        alpha, beta = self.decay(tau_syn), self.decay(tau_mem)
        apart = torch.where(tau_syn == tau_mem, torch.ones_like(tau_mem), tau_mem - tau_syn)
        equal = self._over(tau_mem) * beta
        return torch.where(tau_syn == tau_mem, equal, tau_syn / apart * (beta - alpha))
