"""What encoders return: where there are spikes, as bits or as floats."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.arguments import outside_of_transforms, with_values
from bitspike.spikes.dense import as_dense_spikes
from bitspike.spikes.tensor import SpikeTensor


def spike_train(
    on: Tensor, dtype: torch.dtype, packed: bool, features: int | None = None
) -> Tensor:
    """Spikes of a dtype where ``on [T, *]`` is true: a `SpikeTensor`, or zeros and ones.

    The last ``features`` axes are a row of neurons; see `SpikeTensor.from_dense`.
    """
    if packed:
        spikes: Tensor = _packed(with_values(on, "data"), dtype, features)
        return spikes
    return as_dense_spikes(on.to(dtype))


# Compiled code calls it: Dynamo cannot make a SpikeTensor.
@torch.compiler.disable  # type: ignore[untyped-decorator]
def _packed(on: Tensor, dtype: torch.dtype, features: int | None) -> SpikeTensor:
    with outside_of_transforms():
        spikes = SpikeTensor.from_dense(on, features)
        return SpikeTensor(spikes.words, spikes.features, dtype)
