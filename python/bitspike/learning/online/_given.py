"""What a learner is called with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, expect_one_device


def given(value: Any, name: str, net: nn.Module) -> Tensor:
    """An argument as a tensor that a learner of this network can keep.

    Raises:
        ValueError: for one of a transform of torch.func, or on another device than the network.
        TypeError: for what is no tensor.
    """
    if isinstance(value, Tensor) and torch._C._functorch.is_functorch_wrapped_tensor(value):
        raise ValueError(f"{name} must not be of a transform of torch.func: a learner keeps traces")
    x = as_tensor(value, name)
    if x.is_meta:
        raise ValueError(f"{name} is on meta, and holds no numbers")
    expect_one_device(x, name, net.named_parameters())
    return x


def for_samples(x: Tensor, name: str, samples: int | None) -> Tensor:
    """A target or a reward, which has a value for each sample.

    Raises:
        ValueError: for another number of them.
    """
    if not x.dim() or (samples is not None and len(x) != samples):
        wanted = "B" if samples is None else samples
        raise ValueError(
            f"{name} must have a row for each sample, [{wanted}, *], not {tuple(x.shape)}"
        )
    return x
