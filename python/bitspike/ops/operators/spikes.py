"""Bits to other forms, as operators."""

from __future__ import annotations

import torch
from torch import Tensor

from bitspike.ops import spikes

from ._operator import Shapes, operator


def words_shape(words: Tensor, neurons: int) -> tuple[int, ...]:
    """The shape of words that hold, on their last axis, a row of so many neurons."""
    if neurons < 0:
        raise ValueError(f"neurons must be at least 0, not {neurons}")
    return (*words.shape[:-1], spikes.words(neurons))


def _unpack_shapes(words: Tensor, neurons: int, dtype: torch.dtype) -> Shapes:
    yield "words", words, words_shape(words, neurons)


def _swap_axes_shapes(words: Tensor, outer: int, inner: int) -> Shapes:
    if min(outer, inner) < 0:
        raise ValueError(f"outer and inner must be at least 0, not {outer} and {inner}")
    yield "words", words, words_shape(words, outer * inner)


def _count_axis_shapes(words: Tensor, axis: int, neurons: int) -> Shapes:
    yield "words", words, words_shape(words, neurons)
    if not 0 <= axis < words.dim() - 1:
        raise ValueError(
            f"axis must be one of the {words.dim() - 1} in front of the neurons, not {axis}"
        )


operator(
    "unpack(Tensor words, SymInt neurons, ScalarType dtype) -> Tensor",
    spikes.unpack.kernel,
    lambda words, neurons, dtype: words.new_empty((*words.shape[:-1], neurons), dtype=dtype),
    _unpack_shapes,
)
operator(
    "swap_axes(Tensor words, SymInt outer, SymInt inner) -> Tensor",
    spikes.swap_axes.kernel,
    lambda words, outer, inner: words.new_empty(words.shape),
    _swap_axes_shapes,
)
operator(
    "count_axis(Tensor words, int axis, SymInt neurons) -> Tensor",
    spikes.count_axis.kernel,
    lambda words, axis, neurons: words.new_empty(
        (*words.shape[:axis], *words.shape[axis + 1 : -1], neurons), dtype=torch.float32
    ),
    _count_axis_shapes,
)
