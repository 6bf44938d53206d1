"""Neurons whose numbers differ from step to step, so that they know how long a sequence is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def expect_steps(neuron: Any, current: Tensor, steps: int, advice: str = "") -> None:
    """Refuses sequences of another length.

    Args:
        neuron: Whose sequences they are.
        current: The sequence, ``[T, *]``.
        steps: How long it must be.
        advice: What else to say of it.

    Raises:
        ValueError: for those.
    """
    if len(current) != steps:
        raise ValueError(
            f"input_ must have {steps} steps, because T is {steps} for this "
            f"{type(neuron).__name__}, not {len(current)}{advice and f': {advice}'}"
        )


def of_step(values: Tensor, t: Tensor) -> Tensor:
    """The row of ``values [T, *]`` for step ``t``, a number without axes."""
    index = t.detach().long().clamp(0, len(values) - 1).reshape(1)
    return values.index_select(0, index).squeeze(0)


def over_time(weight: Tensor, current: Tensor, bias: Tensor) -> Tensor:
    """``Σ_s weight[t, s]·current[s] + bias[t]`` of currents ``[T, *]``."""
    dtype = torch.promote_types(weight.dtype, current.dtype)
    product: Tensor = torch.tensordot(weight.to(dtype), current.to(dtype), 1)
    return product + bias.reshape(-1, *(1,) * (current.dim() - 1))
