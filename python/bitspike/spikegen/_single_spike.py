"""One spike per neuron, given when."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import outside_of_transforms, with_values
from bitspike.ops import spikes as ops
from bitspike.spikes.dense import as_dense_spikes
from bitspike.spikes.tensor import SpikeTensor, of_words

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
        steps, fires = with_values(steps, "data"), with_values(fires, "data")
        bits: Tensor = _packed(steps, fires, num_steps, dtype)
        return bits
    on, off = (torch.tensor(float(x), dtype=dtype, device=steps.device) for x in targets)
    index = torch.where(fires, steps, 0).unsqueeze(0)
    # Made of `steps`, so that torch.func.vmap batches it and allows writing into it.
    silence = steps.new_full((num_steps, *steps.shape), targets[1], dtype=dtype)
    spikes = silence.scatter_(0, index, torch.where(fires, on, off).unsqueeze(0))
    return as_dense_spikes(spikes) if targets == (1, 0) else spikes


# Compiled code calls it: Dynamo cannot make a SpikeTensor.
@torch.compiler.disable  # type: ignore[untyped-decorator]
def _packed(steps: Tensor, fires: Tensor, num_steps: int, dtype: torch.dtype) -> SpikeTensor:
    with outside_of_transforms():
        steps, fires = steps.cpu(), fires.cpu()
        rows, features = rows_and_features(steps.shape, has_time=False)
        batch, neurons = rows.numel(), features.numel()
        sample, neuron = fires.reshape(batch, neurons).nonzero(as_tuple=True)
        words = ops.from_events(steps[fires], sample, neuron, (num_steps, batch, neurons))
        return of_words(words.reshape(num_steps, *rows, words.shape[-1]), features, dtype)
