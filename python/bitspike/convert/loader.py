"""What conversion looks at: batches of inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor


def _first_tensor(batch: Any) -> Any:
    """The inputs of what a loader yields: the batch itself, or its first entry."""
    while isinstance(batch, list | tuple) and batch:
        batch = batch[0]
    return batch


def batches(loader: Iterable[Any]) -> Iterator[Tensor]:
    """The inputs of a loader as tensors ``[B, *]``.

    Raises:
        TypeError: for a batch that is no tensor and does not begin with one.
        ValueError: for one without samples, or with numbers that are not finite.
    """
    for i, batch in enumerate(loader):
        x = _first_tensor(batch)
        if not isinstance(x, Tensor):
            raise TypeError(
                f"batch {i} of loader must be a tensor, or a tuple that begins with one, not "
                f"{type(x).__name__}"
            )
        if x.dim() < 2 or not len(x):
            raise ValueError(f"batch {i} of loader must be samples [B, *], not {list(x.shape)}")
        if not bool(torch.isfinite(x).all()):
            raise ValueError(f"batch {i} of loader has NaN or infinity among its inputs")
        yield x


def first_batch(loader: Iterable[Any]) -> Tensor:
    """The first inputs of a loader.

    Raises:
        TypeError: if it is none.
        ValueError: if it is empty.
    """
    if loader is None or not hasattr(loader, "__iter__"):
        raise TypeError(
            "loader must yield batches of inputs, from whose activations thresholds are chosen, "
            f"not be {type(loader).__name__}; a list of a few tensors is enough"
        )
    if hasattr(loader, "__next__"):
        raise TypeError(
            "loader must be one that can be started again, such as a list; not an iterator"
        )
    for x in batches(loader):
        return x
    raise ValueError("loader has no batch; activations are looked at to choose thresholds")
