"""Batch normalisation with fixed statistics, as part of the layer in front of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def folded(weight: Tensor, bias: Tensor | None, norm: Any) -> tuple[Tensor, Tensor]:
    r"""Weight and bias of a linear layer or a convolution, with a normalisation that follows.

    .. math::
        W' = \frac{γ}{\sqrt{σ² + ε}}·W, \quad b' = \frac{γ}{\sqrt{σ² + ε}}·(b - μ) + β
    """
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    moved = -norm.running_mean if bias is None else bias - norm.running_mean
    moved = moved * scale
    weight = weight * scale.view(-1, *[1] * (weight.dim() - 1))
    return weight, moved if norm.bias is None else moved + norm.bias
