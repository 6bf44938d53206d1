"""One spike per neuron, given when."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.dense_spikes import of_spikes
from bitspike.ops import spikes as ops
from bitspike.spike_tensor import of_words

from ._data import rows_and_features


def single_spikes(
    steps: Tensor,
    fires: Tensor,
    num_steps: int,
    dtype: torch.dtype,
    packed: bool,
    targets: tuple[float, float] = (1, 0),
) -> Tensor:
    """Spikes ``[T, *]`` at int64 ``steps`` ``[*]``, where ``fires``; other steps may be anything.

    ``targets`` are the values of spikes and of silence, which packed ones leave at 1 and 0.
    """
    if packed:
        rows, features = rows_and_features(steps.shape, has_time=False)
        batch, neurons = rows.numel(), features.numel()
        sample, neuron = fires.reshape(batch, neurons).nonzero(as_tuple=True)
        words = ops.from_events(steps[fires], sample, neuron, (num_steps, batch, neurons))
        return of_words(words.reshape(num_steps, *rows, words.shape[-1]), features)
    on, off = (torch.tensor(float(x), dtype=dtype, device=steps.device) for x in targets)
    index = torch.where(fires, steps, 0).unsqueeze(0)
    silence = off.repeat(num_steps, *steps.shape)
    spikes = silence.scatter_(0, index, torch.where(fires, on, off).unsqueeze(0))
    return of_spikes(spikes) if targets == (1, 0) else spikes
