"""Words of packed spikes: what they must be, what is packed into them, and how they lie."""

from __future__ import annotations

import torch
from torch import Size, Tensor

from bitspike.arguments import as_tensor, with_values
from bitspike.ops import spikes as ops
from bitspike.ops.buffer import CPU
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


def pack_dense(dense: Tensor, features: int | None) -> tuple[Tensor, Size]:
    """The words of zeros and ones, and the shape of a row; see `SpikeTensor.from_dense`."""
    if features is None:
        features = max(dense.dim() - 2, min(dense.dim(), 1))
    if not 0 <= features <= dense.dim():
        raise ValueError(f"features is {features}, but dense has {dense.dim()} axes")
    words, others = ops.pack(with_values(dense, "dense").cpu(), features)
    if others:
        raise ValueError(f"dense holds {others} values that are neither 0 nor 1")
    return words, dense.shape[dense.dim() - features :]


def pack_events(t: Tensor, b: Tensor, n: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """The words of spikes at these coordinates; see `SpikeTensor.from_events`."""
    if len(shape) != 3 or min(shape) < 0:
        raise ValueError(f"shape must be three sizes (T, B, N), not {tuple(shape)}")
    columns = [
        with_values(as_tensor(x, name, CPU), name) for name, x in (("t", t), ("b", b), ("n", n))
    ]
    for name, x in zip("tbn", columns, strict=True):
        inexact = x.numel() and (x.is_floating_point() or x.is_complex())
        if x.dim() != 1 or inexact or x.shape != columns[0].shape:
            raise ValueError(
                f"{name} must hold one integer per event, like t {tuple(columns[0].shape)}, "
                f"not {x.dtype} {tuple(x.shape)}"
            )
    t, b, n = (x.to(torch.int64) for x in columns)
    return ops.from_events(t, b, n, shape)


def unpack_events(words: Tensor, neurons: int) -> tuple[Tensor, Tensor, Tensor]:
    """The coordinates of the spikes of words ``[T, B, *]``; see `SpikeTensor.to_events`."""
    if is_traced(words):
        t, b, n = ops.unpack(words, neurons, torch.float32).nonzero().unbind(1)
        return t, b, n
    return ops.to_events(words, neurons)


def arranged(flat: Tensor, rows: Size, features: Size, channels_last: bool) -> Tensor:
    """Numbers ``[*rows, neurons]`` in the order of the bits as ``[*rows, *features]``."""
    if not channels_last:
        return flat.view((*rows, *features))
    return flat.view((*rows, *features[1:], features[0])).movedim(-1, len(rows))


def channels_last_strides(rows: Size, features: Size) -> tuple[int, ...]:
    """Those of a tensor ``[*rows, *features]`` whose first feature, the channel, lies last."""
    shape, channel = rows + features, len(rows)
    strides, step = [0] * len(shape), 1
    for axis in (channel, *reversed(range(channel + 1, len(shape))), *reversed(range(channel))):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def version(words: Tensor) -> int | None:
    """The version counter of words; None if torch keeps none, as for those of inference mode."""
    return None if words.is_inference() else words._version
