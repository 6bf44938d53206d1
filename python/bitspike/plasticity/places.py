"""Sequences as the weight matrix of a synapse meets them: row by row, and place by place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.spikes.tensor import SpikeTensor

from .pairing import as_bits

_PATCHES = 1 << 22
"""Numbers of a convolution's patches that are there at a time."""


class Rows(NamedTuple):
    """A sequence as a matrix of synapses meets it."""

    pre: Tensor
    """``[T, R, inputs]``: of a convolution there is a row for each place of its kernel."""
    post: Tensor
    """``[T, R, outputs]``"""
    places: int
    """Rows of each sample."""


def places(rule: str, conv: nn.Conv1d | nn.Conv2d, pre: Tensor, post: Tensor) -> Iterator[Rows]:
    """A convolution as the matrix that it is at each place of its kernel, some steps at a time.

    Raises:
        ValueError: if the outputs have other places than the convolution.
    """
    each = pre.shape[1:].numel() * conv.weight.shape[2:].numel()
    steps = max(1, _PATCHES // max(each, 1))
    for start in range(0, len(pre), steps):
        found = _patches(conv, pre[start : start + steps])
        fired = post[start : start + steps]
        dense = (fired.dense() if isinstance(fired, SpikeTensor) else fired).flatten(3)
        count = found.shape[2]
        if dense.shape[3] != count:
            raise ValueError(
                f"{rule}: the convolution has {count} places, and its neuron returned "
                f"{dense.shape[3]}: nothing that changes their number may stand between"
            )
        spikes = dense.transpose(2, 3).flatten(1, 2)
        yield Rows(as_bits(found.flatten(1, 2)), as_bits(spikes), count)


def _patches(conv: nn.Conv1d | nn.Conv2d, x: Tensor) -> Tensor:
    """What the kernel meets at each place, ``[T, B, places, C·kernel]``."""
    dense = x.dense() if isinstance(x, SpikeTensor) else x
    if not dense.is_floating_point():
        dense = dense.float()
    mode = "constant" if conv.padding_mode == "zeros" else conv.padding_mode
    # Also right for padding="same", where the two ends may differ.
    padded = F.pad(dense.flatten(0, 1), conv._reversed_padding_repeated_twice, mode=mode)
    if isinstance(conv, nn.Conv1d):
        padded = padded.unsqueeze(2)
    # A line is a plane of height 1.
    kernel, dilation, stride = (
        (1, *size)[-2:] for size in (conv.kernel_size, conv.dilation, conv.stride)
    )
    found = F.unfold(padded, kernel, dilation=dilation, stride=stride)
    patches: Tensor = found.transpose(1, 2).unflatten(0, dense.shape[:2])
    return patches
