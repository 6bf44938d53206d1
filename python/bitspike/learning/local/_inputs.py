"""What rules are given: inputs of networks, and classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bitspike.arguments import as_tensor, with_values


def model_input(given: Any, name: str = "x") -> Tensor:
    """The input of a network, with values.

    Raises:
        TypeError: if it is no dense tensor of real numbers, and nothing that becomes one.
        ValueError: if it is neither a step nor a sequence.
    """
    x = with_values(as_tensor(given, name), name)
    if x.dim() < 2 or 0 in x.shape:
        raise ValueError(
            f"{name} must be a step [B, *] or a sequence [T, B, *] with one step and sample or "
            f"more, not {list(x.shape)}"
        )
    return x


def marks(labels: Any, name: str, classes: int, device: torch.device) -> Tensor:
    """Of classes ``[B]``, 1 at the place of each, and 0 elsewhere: int64 ``[B, classes]``.

    Raises:
        TypeError: if they are no dense tensor of real numbers, and nothing that becomes one.
        ValueError: if they are not ``[B]``, or one is none of the classes.
    """
    labels = with_values(as_tensor(labels, name, device), name)
    if labels.dim() != 1 or not len(labels):
        raise ValueError(f"{name} must be classes [B], not {list(labels.shape)}")
    index = labels.long()
    if (index != labels).any() or not 0 <= int(index.min()) <= int(index.max()) < classes:
        raise ValueError(f"{name} must be classes from 0 to {classes - 1}, not {labels.tolist()}")
    return F.one_hot(index, classes)
