"""Words of packed spikes that come from outside, or may be written there."""

from __future__ import annotations

import torch
from torch import Size, Tensor

from bitspike.arguments import with_values
from bitspike.ops import spikes as ops
from bitspike.ops.route import is_traced


def expect_padded(words: Tensor, features: Size) -> None:
    """Checks that words hold rows of these features.

    Raises:
        TypeError: if they are no dense tensor with values.
        ValueError: if they do not fit, are not on the CPU, or have bits behind the last neuron.
    """
    if not isinstance(words, Tensor) or words.is_nested:
        raise TypeError(f"words must be a dense int64 tensor, not {type(words).__name__}")
    neurons = features.numel()
    columns = ops.words(neurons)
    if words.dtype != torch.int64 or words.dim() == 0 or words.shape[-1] != columns:
        raise ValueError(
            f"words must be int64 [..., {columns}] for features {tuple(features)}, "
            f"not {words.dtype} {tuple(words.shape)}"
        )
    if not words.is_cpu or words.layout is not torch.strided:
        raise ValueError(f"words must be dense on the CPU, not {words.layout} on {words.device}")
    tail = neurons % ops.WORD
    if (
        tail
        and not is_traced(words)
        and bool((with_values(words, "words").select(-1, -1) >> tail).any())
    ):
        raise ValueError(
            f"words must be 0 behind the {neurons} neurons of a row, but have other bits there"
        )


def version(words: Tensor) -> int | None:
    """The version counter of words; None if torch keeps none, as for those of inference mode."""
    return None if words.is_inference() else words._version
