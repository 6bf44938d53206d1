"""Spikes of learnable magnitude."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, expect_one_device


class GradedSpikes(nn.Module):
    r"""Scales the spikes of each neuron by a learnable weight (snnTorch's layer).

    .. math::
        y_n = w_n·S_n

    Args:
        size: Neurons, the last axis of the input.
        constant_factor: The initial weight of all neurons. If it is None or 0, weights are drawn
            from ``U(0.5, 1.5)``.

    Shapes:
        Input ``[*, size]``, output the same. ``weights`` is ``[size, 1]`` as in snnTorch, whose
        checkpoints load; snnTorch multiplies it as it is, so that it fails for ``[B, size]``, or
        scales samples instead of neurons if ``B = size``. What it can multiply is taken too: any
        input if ``size`` is 1, and ``[*, size, N]`` with ``N`` other than ``size``.

    Raises:
        ValueError: if neither of the last two axes of the input is ``size``.

    Example:
        >>> import torch, bitspike as snn
        >>> snn.GradedSpikes(3, constant_factor=0.5)(torch.tensor([[1.0, 0.0, 1.0]]))
        tensor([[0.5000, 0.0000, 0.5000]], grad_fn=<MulBackward0>)
    """

    def __init__(self, size: int, constant_factor: float | None = None) -> None:
        """Makes or draws the weights."""
        super().__init__()
        self.size = size
        if constant_factor:
            weights = torch.full((size, 1), float(constant_factor))
        else:
            weights = torch.rand(size, 1) + 0.5
        self.weights = nn.Parameter(weights)

    def forward(self, x: Tensor) -> Tensor:
        """Spikes times weights."""
        x = as_tensor(x, "x")
        expect_one_device(x, "x", [("weights", self.weights)])
        if x.dim() and x.shape[-1] == self.size:
            return x * self.weights.view(self.size)
        if self.size == 1:
            return x * self.weights.view(())
        if x.dim() > 1 and x.shape[-2] == self.size:
            return x * self.weights
        raise ValueError(
            f"x must be [*, {self.size}], or [*, {self.size}, N], not {tuple(x.shape)}"
        )

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"size={self.size}"
