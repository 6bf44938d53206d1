"""A layer in which the strongest win."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor
from bitspike.neurons.base.inhibition import KWTA
from bitspike.ops.route import is_observed
from bitspike.spikes.pack import pack_if_binary


class WTA(nn.Module):
    r"""Exactly ``k`` winners of each competition, at each step (Maass 2000).

    .. math::
        y_i[t] = 1 \text{ if } x_i[t] \text{ is one of the } k \text{ largest, else } 0

    Equal inputs win in the order of their indices. There is no threshold: all ``k`` win at each
    step, however small their input is. (With one, at most ``k`` neurons fire: that is the
    ``inhibition=KWTA(k)`` of a neuron.) Gradients flow to winners alone, as through the identity.

    Args:
        k: How many win.
        axis: The axis along which inputs compete, counted in a step ``[B, *]``; by default all of a
            sample compete with each other.

    Shapes:
        One step ``[B, *]``; output the same. A whole sequence ``[T, B, *]`` through `unroll` or
        :meth:`run_sequence` gives a `SpikeTensor` on the CPU.

    Raises:
        ValueError: if ``k`` is not a positive integer; at a call, if there are fewer than ``k``
            inputs in a competition, or no such axis.

    Example:
        >>> import torch, bitspike as snn
        >>> snn.WTA(2)(torch.tensor([[0.5, -1.0, 0.5, 0.5]]))
        tensor([[1., 0., 1., 0.]])
    """

    def __init__(self, k: int, axis: int | None = None) -> None:
        super().__init__()
        self.competition = KWTA(k, axis)

    def forward(self, x: Tensor) -> Tensor:
        """One step."""
        return self._winners(_floats(x))

    def run_sequence(self, x: Tensor) -> Tensor:
        """A whole sequence ``[T, B, *]``: steps do not know each other."""
        x = _floats(x)
        if x.dim() < 3:
            raise ValueError(f"x must be a sequence [T, B, *], not {tuple(x.shape)}")
        won: Tensor = self._winners(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        if not won.is_cpu or won.dtype is not torch.float32 or is_observed():
            return won
        return pack_if_binary(won)

    def _winners(self, x: Tensor) -> Tensor:
        k, axis = self.competition.k, self.competition.axis
        if x.dim() < 2 or (axis is not None and not -x.dim() <= axis < x.dim()):
            needed = "[B, *]" if axis is None else f"[B, *] with an axis {axis}"
            raise ValueError(f"x must be {needed} at each step, not {tuple(x.shape)}")
        entrants = x.shape[1:].numel() if axis is None else x.shape[axis]
        if entrants < k:
            raise ValueError(f"x must have at least k={k} inputs that compete, not {entrants}")
        winners = self.competition.winners(x)
        # The value of the winners with the gradient of the input.
        return winners + (x - x.detach()) * winners if x.requires_grad else winners

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"k={self.competition.k}, axis={self.competition.axis}"


def _floats(x: Tensor) -> Tensor:
    x = as_tensor(x, "x")
    return x * 1 if x.is_floating_point() else x.to(torch.get_default_dtype())
