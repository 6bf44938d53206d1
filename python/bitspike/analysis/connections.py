"""How many connections lead from each input of a layer of weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.spikes.pack import pack_if_binary
from bitspike.spikes.tensor import SpikeTensor

from .observe import exact


class FanOut:
    """The connections that leave each input of one sample at one step of a layer.

    Args:
        layer: A linear layer, a convolution, or a one-to-one connection. Grouped, strided, dilated
            and padded convolutions are counted exactly: what a kernel sees beyond the border is no
            connection, and what it sees twice, of a circular padding say, is two.
        shape: The shape of the layer's input, with any number of axes in front.
    """

    axes: int
    """How many axes of the input belong to one sample at one step."""
    outputs: int
    """How many outputs there are for these axes."""
    total: int
    """How many connections there are for these axes."""

    def __init__(self, layer: nn.Module, shape: torch.Size) -> None:
        self._places: list[Tensor] = []
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            sides = len(layer.kernel_size)
            self.axes = sides + 1
            self._each = layer.out_channels // layer.groups
            inputs, self.outputs = layer.in_channels, layer.out_channels
            for axis, size in enumerate(shape[-sides:]):
                connections, outputs = _along_axis(layer, axis, size)
                self._places.append(connections)
                self.outputs *= outputs
        else:
            self.axes = 1
            inputs = shape[-1]
            self._each = layer.out_features if isinstance(layer, nn.Linear) else 1
            self.outputs = layer.out_features if isinstance(layer, nn.Linear) else inputs
        self.total = inputs * self._each * math.prod(int(p.sum()) for p in self._places)

    def of(self, spikes: SpikeTensor) -> int:
        """The connections of all spikes: how often a weight is added."""
        if not self._places:
            return int(spikes.count_nonzero()) * self._each
        counts = spikes.reshape(-1, *spikes.shape[-self.axes :]).sum(0).to(torch.int64)
        for connections in reversed(self._places):
            counts = (counts * connections).sum(-1)
        return int(counts.sum()) * self._each

    def bits(self, x: Tensor) -> SpikeTensor | None:
        """An input as bits, or None if it holds anything but 0, 1 and -1."""
        if isinstance(x, SpikeTensor):
            return exact(x)
        bits = pack_if_binary(x.detach().abs().cpu(), min(self.axes, x.dim()))
        return exact(bits) if isinstance(bits, SpikeTensor) else None


def _along_axis(
    layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, axis: int, size: int
) -> tuple[Tensor, int]:
    """How many taps of kernels see each position of one axis, ``[size]``, and how many outputs."""
    kernel, stride, dilation = layer.kernel_size[axis], layer.stride[axis], layer.dilation[axis]
    reach = dilation * (kernel - 1)
    if isinstance(layer.padding, str):
        left = reach // 2 if layer.padding == "same" else 0
        right = reach - left if layer.padding == "same" else 0
    else:
        left = right = layer.padding[axis]
    outputs = (left + size + right - reach - 1) // stride + 1
    taps = torch.arange(kernel, device="cpu") * dilation
    seen = (torch.arange(outputs, device="cpu").unsqueeze(1) * stride + taps).flatten()
    times = torch.bincount(seen, minlength=left + size + right)
    if layer.padding_mode == "zeros":
        return times[left : left + size], outputs
    positions = torch.arange(size, dtype=torch.float64, device="cpu").view(1, 1, -1)
    copied = F.pad(positions, (left, right), mode=layer.padding_mode).view(-1).to(torch.int64)
    return torch.zeros_like(times[:size]).index_add(0, copied, times), outputs
