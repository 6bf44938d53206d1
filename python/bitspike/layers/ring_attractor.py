"""A ring of neurons that holds an angle."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import as_tensor
from bitspike.neurons.rleaky import RLeaky


class RingAttractor(RLeaky):
    r"""Leaky neurons on a ring, which hold the place of a bump (Ben-Yishai et al. 1995).

    .. math::
        U_i[t] = βU_i[t-1] + I_i[t] + \frac{1}{n}\sum_j (J_0 + J_1 \cos(φ_i - φ_j))·S_j[t-1]
        - R_i[t]θ, \qquad φ_i = 2πi/n

    with ``S`` and ``R`` as in `Leaky`. Neighbours excite each other by ``J1``, and neurons across
    the ring inhibit each other; ``J0`` excites or inhibits all alike. A bump of activity that an
    input has made stays when the input has gone. All places are alike, so that it drifts by less
    than one neuron in a thousand steps. (With ``J1`` too small for ``β`` and ``θ`` there is no bump
    without input.)

    Args:
        n: Neurons.
        J0: What all neurons send each other.
        J1: What neurons send by the cosine of the angle between them.
        beta: Decay ``β`` per step.
        threshold: ``θ``.
        spike_grad: Surrogate gradient; by default ``surrogate.atan()``.
        init_hidden: Keep the states in the module; calls take and return no states.
        output: Return ``(spikes, membrane)`` also with ``init_hidden``.
        multi_step: Take a whole sequence per call.

    Shapes:
        As `RLeaky` with ``linear_features=n``: one step ``[B, n]``, a sequence ``[T, B, n]``.

    Raises:
        ValueError: for fewer than 3 neurons, and as `RLeaky`.

    Example:
        >>> import torch, bitspike as snn
        >>> ring = snn.RingAttractor(64, init_hidden=True)
        >>> current = torch.zeros(1000, 1, 64)
        >>> current[:20, :, 8:25] = 1.0
        >>> spikes = snn.unroll(ring, current)
        >>> angle = ring.angle(spikes[-100:].sum(0))  # of neuron 16, a quarter of the ring
        >>> bool((angle - torch.pi / 2).abs() < torch.pi / 64)
        True
    """

    def __init__(
        self,
        n: int,
        J0: float = -1.0,
        J1: float = 10.0,
        beta: float | Tensor = 0.9,
        threshold: float | Tensor = 1.0,
        *,
        spike_grad: Callable[[Tensor], Tensor] | None = None,
        init_hidden: bool = False,
        output: bool = False,
        multi_step: bool = False,
    ) -> None:
        if n < 3:
            raise ValueError(f"n must be at least 3, not {n}")
        super().__init__(
            beta=beta,
            linear_features=n,
            threshold=threshold,
            spike_grad=spike_grad,
            init_hidden=init_hidden,
            learn_recurrent=False,
            output=output,
            multi_step=multi_step,
        )
        self.n, self.J0, self.J1 = n, J0, J1
        connection: Any = self.recurrent
        angles = torch.arange(n) * (2 * math.pi / n)
        with torch.no_grad():
            connection.weight.copy_((J0 + J1 * torch.cos(angles.unsqueeze(1) - angles)) / n)
            connection.bias.zero_()

    def angle(self, activity: Tensor) -> Tensor:
        """Where the bump is, in radians from ``-π`` to ``π``: the direction of ``Σ a_i·e^{iφ_i}``.

        Args:
            activity: Spikes, or how many there were, ``[*, n]``.

        Raises:
            ValueError: for another last axis.
        """
        activity = as_tensor(activity, "activity")
        if not activity.dim() or activity.shape[-1] != self.n:
            raise ValueError(f"activity must be [*, {self.n}], not {tuple(activity.shape)}")
        activity = activity * 1.0
        numbers = torch.arange(self.n, dtype=activity.dtype, device=activity.device)
        angles = numbers * (2 * math.pi / self.n)
        sine, cosine = (activity * angles.sin()).sum(-1), (activity * angles.cos()).sum(-1)
        return torch.atan2(sine, cosine)

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"{self.n}, J0={self.J0}, J1={self.J1}"
