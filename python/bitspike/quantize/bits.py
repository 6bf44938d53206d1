"""Products of spikes with weights of one bit, and of three values, in inference."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bitspike.arguments import as_tensor, with_values
from bitspike.ops import matmul
from bitspike.ops import spikes as ops
from bitspike.ops.matmul import Planes
from bitspike.ops.route import is_observed
from bitspike.spikes.dense import DenseSpikes
from bitspike.spikes.pack import pack_if_binary
from bitspike.spikes.tensor import SpikeTensor

from .format import Quantised


def countable(input: Any, *others: Tensor | None) -> SpikeTensor | None:
    """Spikes ``[*, N]`` as bits, if no more than the numbers of a product is wanted of them.

    That is, nothing records or watches it, and all is float32 on the CPU.
    """
    tensors = [x for x in (input, *others) if x is not None]
    if torch.is_grad_enabled() and any(x.requires_grad for x in tensors):
        return None
    if is_observed() or torch.is_autocast_enabled("cpu"):
        return None
    if not all(x.is_cpu and x.dtype is torch.float32 for x in tensors):
        return None
    if isinstance(input, DenseSpikes) and DenseSpikes.packs and input.dim():
        input = pack_if_binary(input, 1)
    if not isinstance(input, SpikeTensor) or input.is_transposed or len(input.features) != 1:
        return None
    return input


def planes_of(integers: Tensor, scale: Tensor, bias: Tensor | None) -> Planes:
    """The bits of integers ``[N, K]`` from -1 to 1; where none of them is 0, one plane says all."""
    integers, scale = integers.detach(), scale.detach()
    positive, _ = ops.pack((integers > 0).float(), 1)
    negative = None if integers.all() else ops.pack((integers < 0).float(), 1)[0]
    scale = scale.flatten().expand(len(integers)).contiguous()
    return Planes(positive, negative, scale, None if bias is None else bias.detach())


def linear(spikes: SpikeTensor, planes: Planes) -> Tensor:
    """``scale * (spikes @ integers.T) + bias``.

    Sums are integers, and exact; scale and bias round once each. So the result has the same bits
    for steps and sequences, packed or not, at any density, and on any instruction set.
    """
    *rows, width = spikes.words.shape
    words = spikes.words.reshape(math.prod(rows), width)
    return matmul.plane_product(words, spikes.neurons, planes).view(*rows, len(planes.positive))


class BitLinear(nn.Module):
    r"""A linear layer for inference whose weights are bits: :math:`y = α (x B^\top) + b`.

    ``B`` holds -1 and 1, or -1, 0 and 1: one or two bits for each weight, in int64 words as of a
    `bitspike.SpikeTensor`. For spikes bits are counted: :math:`\mathrm{pop}(x ∧ p) -
    \mathrm{pop}(x ∧ n)`, or :math:`2\,\mathrm{pop}(x ∧ p) - \mathrm{pop}(x)` without zeros; where
    so few spikes are there that adding weights is faster, weights are added. These sums are
    integers, so that both give the same bits. Other input meets the weights as floats. There is a
    gradient for the input, and none for the weights.

    `freeze` makes it of a trained layer.

    Args:
        weight: Integers from -1 to 1, and their scales.
        bias: ``[outputs]``, or None.

    Raises:
        ValueError: if the integers are no matrix, or others than -1, 0 and 1, and if biases are
            not as many as outputs.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike import quantize
        >>> weight = quantize.Ternary().quantise(torch.randn(10, 100))
        >>> layer = quantize.BitLinear(weight)
        >>> spikes = snn.spikegen.rate(torch.rand(8, 100), num_steps=25, packed=True)
        >>> layer(spikes).shape
        torch.Size([25, 8, 10])
    """

    positive: Tensor
    negative: Tensor | None
    scale: Tensor
    bias: Tensor | None
    shaped_as = nn.Linear

    def __init__(self, weight: Quantised, bias: Tensor | None = None) -> None:
        super().__init__()
        integers, scale = weight
        if integers.dim() != 2 or bool((integers.abs() > 1).any()):
            raise ValueError(
                f"weight must be integers [outputs, inputs] from -1 to 1, not {integers.dtype} "
                f"{tuple(integers.shape)} with others"
            )
        if bias is not None:
            bias = with_values(as_tensor(bias, "bias"), "bias").to(scale)
            if bias.shape != scale.shape:
                raise ValueError(f"bias must be {tuple(scale.shape)}, not {tuple(bias.shape)}")
        self.out_features, self.in_features = integers.shape
        for name, value in planes_of(integers, scale, bias)._asdict().items():
            self.register_buffer(name, value)

    def forward(self, input: Tensor) -> Tensor:
        """The product with the weights."""
        input = as_tensor(input, "input")
        spikes = countable(input, self.scale, self.bias)
        if spikes is not None and spikes.neurons == self.in_features:
            return linear(spikes, self._planes())
        return F.linear(input, self.float_weight(), self.bias)

    def float_weight(self) -> Tensor:
        """The weights as floats ``[outputs, inputs]``, made anew."""
        return self._planes().weights(self.in_features) * self.scale.unsqueeze(1)

    def _planes(self) -> Planes:
        return Planes(self.positive, self.negative, self.scale, self.bias)

    def extra_repr(self) -> str:
        """The layer's sizes."""
        bits = 1 if self.negative is None else 2
        return f"in_features={self.in_features}, out_features={self.out_features}, bits={bits}"
