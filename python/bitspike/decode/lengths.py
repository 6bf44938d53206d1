"""Recordings of different lengths in one batch: the steps behind the end of a sample do not count.

Of a padded recording ``[T, B, *]`` sample ``b`` owns the steps in front of ``lengths[b]``. Losses,
accuracies and decoders take ``lengths`` as `bitspike.events.collate` returns it, and answer as if
each sample had been cut there. ``None`` stands for recordings that all have ``T`` steps; then
nothing here computes anything.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.spikes.readings import kept
from bitspike.spikes.tensor import SpikeTensor


def checked_lengths(lengths: Any, recording: Tensor, least: int = 1) -> Tensor | None:
    """The argument as int64 ``[B]``, where the recording is.

    Args:
        lengths: The argument.
        recording: ``[T, B, *]``.
        least: The fewest steps that a sample must have: 0 where sums over time are all that is
            taken of it, 1 where means or times are.

    Raises:
        TypeError: if they are no dense tensor of real numbers, and nothing that becomes one, or
            are booleans.
        ValueError: if there is not one for each sample, or one is no whole number, less than
            ``least`` or more than ``T``.
    """
    if lengths is None:
        return None
    counts = as_tensor(lengths, "lengths", recording.device)
    if counts.dtype == torch.bool:
        raise TypeError("lengths must be numbers of steps, not a mask of booleans")
    steps, *batch = recording.shape[:2]
    if not batch or counts.shape != (batch[0],):
        raise ValueError(
            f"lengths must hold one number of steps for each sample of a recording "
            f"{tuple(recording.shape)}, not have shape {tuple(counts.shape)}"
        )
    given = with_values(counts, "lengths")
    counts = given.long()
    if given.is_floating_point() and (counts != given).any():
        raise ValueError(f"lengths must be whole numbers of steps, but are {given.tolist()}")
    if counts.numel() and not (counts.min() >= least and counts.max() <= steps):
        raise ValueError(
            f"lengths must be from {least} to the {steps} steps of the recording, but reach from "
            f"{int(counts.min())} to {int(counts.max())}"
        )
    return counts


def own_steps(lengths: Tensor, steps: int) -> Tensor:
    """Which of the steps each sample owns, bool ``[T, B]``."""
    return torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths


def silenced(recording: Tensor, lengths: Tensor | None, silence: float = 0.0) -> Tensor:
    """The recording with silence behind the end of each sample, whatever stood there.

    Nothing that stood there gets a gradient. Packed spikes without one stay packed.
    """
    if lengths is None:
        return recording
    own = own_steps(lengths, recording.shape[0])
    packed = _packed(recording)
    if packed is not None and not silence and not packed.requires_grad:
        return packed.like(kept(packed.words, own))
    return recording.masked_fill(~own.view(*own.shape, *[1] * (recording.dim() - 2)), silence)


def step_count(recording: Tensor, lengths: Tensor | None) -> int | Tensor:
    """How many steps there are, or, ``[B, 1]`` in the dtype of the recording, each sample owns."""
    if lengths is None:
        return recording.shape[0]
    return lengths.to(recording.dtype).unsqueeze(1)


def mean_over_steps(per_step: Tensor, lengths: Tensor | None) -> Tensor:
    """The mean of ``[T, B, *]`` over the steps that each sample owns, ``[B, *]``."""
    if lengths is None:
        return per_step.mean(0)
    owned = lengths.view(-1, *[1] * (per_step.dim() - 2))
    return silenced(per_step, lengths).sum(0) / owned


def last_step(recording: Tensor, lengths: Tensor | None) -> Tensor:
    """The last step that each sample owns, ``[1, B, C]``; packed spikes stay packed."""
    if lengths is None:
        return recording[-1:]
    sample = torch.arange(len(lengths), device=lengths.device)
    packed = _packed(recording)
    if packed is not None:
        return packed.like(packed.words[lengths - 1, sample].unsqueeze(0))
    return recording[lengths - 1, sample].unsqueeze(0)


def _packed(x: Tensor) -> SpikeTensor | None:
    """Packed spikes ``[T, B, *]`` whose words are in that order, outside of torch.func."""
    if not isinstance(x, SpikeTensor) or x.is_transposed or x.rows < 2:
        return None
    return x if torch._C._functorch.peek_interpreter_stack() is None else None
