"""Lateral inhibition: neurons of a layer that compete for the right to fire."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class KWTA:
    r"""k winners take all: of each competition at most ``k`` neurons fire, and only they reset.

    .. math::
        S[t] = γ·H(U[t] - θ)·W(U[t] - θ), \qquad R[t] = H(U[t-1] - θ)·W(U[t-1] - θ)

    where ``W`` is 1 for the ``k`` largest of its arguments and 0 for the others (Maass 2000, "On
    the computational power of winner-take-all"). Equal membranes win in the order of their
    indices. A suppressed neuron keeps its membrane, and may win at the next step. With
    ``reset_delay=False`` the neurons that fire are reset in that step, and ``R`` is 0. It is the
    ``inhibition`` of any neuron; ``inhibition=True``, snnTorch's, differs for ``k = 1`` in two
    points: suppressed neurons above threshold are reset too, and a spike always counts 1.

    Gradients flow to winners alone.

    Args:
        k: How many may fire.
        axis: The axis along which neurons compete, counted in a membrane ``[B, *]``; by default
            all neurons of a sample compete with each other. ``axis=1`` in ``[B, C, H, W]`` lets
            the channels compete at each position.

    Raises:
        ValueError: if ``k`` is not a positive integer; at a call, if the membrane has no such axis,
            or no neurons beside the batch axis.

    Example:
        >>> import torch, bitspike as snn
        >>> lif = snn.Leaky(beta=0.5, inhibition=snn.KWTA(k=2))
        >>> spikes, membrane = lif(torch.tensor([[1.5, 3.0, 2.0, 0.5]]))
        >>> spikes
        tensor([[0., 1., 1., 0.]])
        >>> spikes, membrane = lif(torch.zeros(1, 4), membrane)
        >>> membrane
        tensor([[0.7500, 0.5000, 0.0000, 0.2500]])
    """

    k: int
    axis: int | None = None

    def __post_init__(self) -> None:
        """Checks ``k``."""
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise ValueError(f"k must be a positive integer, not {self.k!r}")

    def winners(self, above: Tensor) -> Tensor:
        """1 for the ``k`` largest of each competition, 0 for the others, without gradient."""
        above = above.detach()
        if above.dim() < 2:
            raise ValueError(f"KWTA needs a membrane [B, *], not {tuple(above.shape)}")
        if self.axis is None:
            flat = above.flatten(1)
            return self._largest(flat, 1).view_as(above)
        if not -above.dim() <= self.axis < above.dim():
            raise ValueError(f"KWTA has axis={self.axis}, but a membrane is {tuple(above.shape)}")
        return self._largest(above, self.axis)

    def _largest(self, x: Tensor, axis: int) -> Tensor:
        # topk does not say which of equal values it takes.
        order = x.argsort(stable=True, dim=axis, descending=True)
        best = order.narrow(axis, 0, min(self.k, x.shape[axis]))
        return torch.zeros_like(x).scatter_(axis, best, 1)
