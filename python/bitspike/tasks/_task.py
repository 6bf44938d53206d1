"""What a task is, and batches of it with time in front."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from bitspike.arguments import as_tensor


class Task(NamedTuple):
    """Samples to train and to test on.

    A sample is ``(x, y)``: x is float32, ``[T, *]`` for a sequence, and y an int64 class, or a
    sequence of them. Where lengths differ, the length is a third tensor.
    """

    train: TensorDataset
    """To train on: ``x [N, *]``, ``y [N]``."""
    test: TensorDataset
    """To test on: the same with other samples."""
    classes: int
    """Values of ``y``: ``0 … classes - 1``."""
    source: str
    """Where the data come from, under which licence, and how they were made."""


def time_first(samples: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Makes a batch of sequences with time in front: a ``collate_fn`` for ``DataLoader``.

    Args:
        samples: Of each sequence ``x [T, *]``, ``y`` and whatever else there is.

    Returns:
        ``x [T, B, *]``, ``y [B]``, and the rest stacked as ``y`` is.

    Raises:
        ValueError: without samples, or if one of them has no time axis or another shape.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> task = snn.tasks.delayed_xor(samples=20)
        >>> loader = DataLoader(task.train, batch_size=8, collate_fn=snn.tasks.time_first)
        >>> x, y = next(iter(loader))
        >>> x.shape, y.shape
        (torch.Size([50, 8, 30]), torch.Size([8]))
    """
    if not samples:
        raise ValueError("samples must not be empty")
    samples = [
        tuple(x if isinstance(x, Tensor) else as_tensor(x, "samples") for x in sample)
        for sample in samples
    ]
    shapes = {tuple(sample[0].shape) for sample in samples}
    if len(shapes) > 1 or () in shapes:
        raise ValueError(f"samples must all be [T, *] of one shape, but are {sorted(shapes)}")
    sequences, *others = zip(*samples, strict=True)
    return torch.stack(sequences, 1), *(torch.stack(column) for column in others)


def split(x: Tensor, y: Tensor, classes: int, source: str) -> Task:
    """Trains on the first four fifths, and tests on the rest."""
    edge = len(x) * 4 // 5
    train, test = TensorDataset(x[:edge], y[:edge]), TensorDataset(x[edge:], y[edge:])
    return Task(train, test, classes, source)


def balanced_labels(samples: int, classes: int, generator: torch.Generator) -> Tensor:
    """Labels ``[samples]`` in random order, of which each occurs as often, give or take one."""
    return torch.randperm(samples, generator=generator, device=generator.device) % classes
