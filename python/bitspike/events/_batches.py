"""Recordings of different lengths in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import default_collate

from bitspike.ops.buffer import CPU
from bitspike.spikes.tensor import SpikeTensor, of_words


class Batch(NamedTuple):
    """Recordings of one batch, and what is known of each."""

    spikes: SpikeTensor
    """``[T, B, *]``, without spikes behind the end of a recording."""
    lengths: Tensor
    """Steps of each recording, int64 ``[B]``."""
    labels: Any = None
    """What came with each, as ``torch.utils.data.default_collate`` joins it."""


def collate(samples: Sequence[Any], T: int | None = None) -> Batch:
    """Joins recordings, and pads those that are shorter with silence.

    ``DataLoader(..., collate_fn=events.collate)`` does this with each batch.

    Args:
        samples: Spikes ``[T, *]`` of each recording, or tuples of spikes and a label.
        T: How many steps a batch has; longer recordings are cut. By default as many as the longest.

    Raises:
        ValueError: for no samples, or samples of different shapes.
        TypeError: for samples that are no packed spikes.

    Example:
        >>> from bitspike import events
        >>> options = {"sensor_size": (4, 1), "time_window": 10, "include_incomplete": True}
        >>> short = events.from_events([0, 9], [1, 2], **options)
        >>> long = events.from_events([0, 25], [1, 2], **options)
        >>> batch = events.collate([(short, 3), (long, 5)])
        >>> batch.spikes.shape, batch.lengths.tolist(), batch.labels
        (torch.Size([3, 2, 2, 1, 4]), [1, 3], tensor([3, 5]))
    """
    if not len(samples):
        raise ValueError("samples must have at least one recording")
    labelled = not isinstance(samples[0], Tensor)
    spikes = [sample[0] if labelled else sample for sample in samples]
    for x in spikes:
        if not isinstance(x, SpikeTensor) or x.rows != 1:
            found = f"{type(x).__name__} {list(getattr(x, 'shape', ''))}"
            raise TypeError(f"samples must be packed spikes [T, *], one row a step, not {found}")
        if x.features != spikes[0].features:
            shapes = f"{tuple(spikes[0].features)} and {tuple(x.features)}"
            raise ValueError(f"samples must have one shape, not {shapes}")
    words = [x.channels_first().words for x in spikes]
    longest = max(len(x) for x in words) if T is None else T
    lengths = torch.tensor([min(len(x), longest) for x in words], device=CPU)
    joined = words[0].new_zeros((longest, len(words), words[0].shape[1]))
    for sample, x in enumerate(words):
        joined[: len(x), sample] = x[:longest]
    labels = default_collate([sample[1] for sample in samples]) if labelled else None
    return Batch(of_words(joined, spikes[0].features, spikes[0].dtype), lengths, labels)
