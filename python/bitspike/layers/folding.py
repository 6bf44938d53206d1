"""Batch normalisation with fixed statistics, as part of the layer in front of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def folded(linear: Any, norm: Any) -> tuple[Tensor, Tensor]:
    r"""Weight and bias of a linear layer or a convolution followed by a normalisation.

    .. math::
        W' = \frac{γ}{\sqrt{σ² + ε}}·W, \quad b' = \frac{γ}{\sqrt{σ² + ε}}·(b - μ) + β
    """
    scale = torch.rsqrt(norm.running_var + norm.eps)
    if norm.weight is not None:
        scale = scale * norm.weight
    weight = linear.weight * scale.view(-1, *[1] * (linear.weight.dim() - 1))
    bias = -norm.running_mean if linear.bias is None else linear.bias - norm.running_mean
    bias = bias * scale
    return weight, bias if norm.bias is None else bias + norm.bias
