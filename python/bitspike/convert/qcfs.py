"""The activation of quantisation, clipping, floor and shift."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor

TIE = 2.0**-16
"""By what share of a step a sum may miss it and count as having reached it.

Sums of floats miss what they would reach as real numbers, by some of the last bits. The activation
and the neurons that stand for it both count to the same level so, whatever the order of additions.
"""


class QCFS(nn.Module):
    r"""An activation in ``levels`` steps, which neurons compute exactly in so many time steps.

    .. math::
        h(x) = λ·\mathrm{clip}\!\left(\frac{1}{L}\left\lfloor \frac{xL}{λ} + \frac12
        \right\rfloor,\ 0,\ 1\right)

    (Bu et al., ICLR 2022: quantisation, clipping, floor, shift). A model that is trained with it in
    the place of ReLU loses little when `ann_to_snn` converts it: neurons with threshold ``λ`` that
    begin at ``λ/2`` fire :math:`h(x)·L/λ` times in ``L`` steps with the input ``x``. ``λ`` is
    learned. The floor passes gradients as if it were not there, within the range of the clip.

    Args:
        levels: ``L``, the steps above 0.
        limit: The initial ``λ``.

    Shapes:
        Any, and the output the same.

    Raises:
        ValueError: if ``levels`` is no positive whole number or ``limit`` not positive.

    Example:
        >>> import torch, bitspike as snn
        >>> snn.convert.QCFS(4, limit=1.0)(torch.tensor([-1.0, 0.1, 0.3, 0.6, 2.0]))
        tensor([0.0000, 0.0000, 0.2500, 0.5000, 1.0000], grad_fn=<MulBackward0>)
    """

    def __init__(self, levels: int = 8, limit: float = 8.0) -> None:
        """Starts from this limit."""
        super().__init__()
        if int(levels) != levels or levels < 1:
            raise ValueError(f"levels must be a whole number from 1 up, not {levels}")
        if not (math.isfinite(limit) and limit > 0):
            raise ValueError(f"limit must be a positive number, not {limit}")
        self.levels = int(levels)
        self.limit = nn.Parameter(torch.tensor(float(limit)))

    def forward(self, x: Tensor) -> Tensor:
        """Quantises."""
        x = as_tensor(x, "x")
        if not x.is_floating_point():
            x = x.to(self.limit.dtype)
        shares = (x / self.limit).clamp(0, 1)
        steps = (x.detach() / self.limit.detach() * self.levels + 0.5 + TIE).floor()
        rounded = steps.clamp(0, self.levels) / self.levels
        return self.limit * (shares + (rounded - shares).detach())

    def extra_repr(self) -> str:
        """What ``repr`` shows."""
        return f"levels={self.levels}"
