"""Layers whose weights are in a format of few bits, for training with that in view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.conv import _ConvNd

from bitspike.arguments import as_tensor

from . import bits
from .format import Format, Quantised, Scaled
from .formats import Integer

if TYPE_CHECKING:
    from typing_extensions import Unpack


class QuantLayer(nn.Module):
    """What layers with quantised weights have in common.

    ``weight`` holds floats, which learn; it is rounded anew in every call, and never in place.
    """

    weight: Tensor
    weight_quant: Format
    """The format of the weight."""
    weight_scale: nn.Parameter | None
    """The learned scales ``[outputs]``, or ``[1]``; None where scales follow from the weight."""
    shaped_as: ClassVar[type[nn.Module]]
    """The layer of floats, which takes and returns the same shapes."""

    def quantise_with(self, weight_quant: Format) -> None:
        """Changes the format of the weight, with scales to begin with."""
        self.weight_quant = weight_quant
        scale = weight_quant.first_scale(self.weight)
        self.weight_scale = None if scale is None else nn.Parameter(scale.to(self.weight.dtype))

    def quant_weight(self) -> Tensor:
        """The weight that the layer computes with, in the dtype of ``weight``."""
        return self.weight_quant.values(self.weight, self._scale())

    @property
    def is_bits(self) -> bool:
        """Whether weights are -1, 0 and 1, times a scale."""
        return isinstance(self.weight_quant, Scaled) and self.weight_quant.is_bits

    def integer_weight(self) -> Quantised:
        """The weight as integers ``[outputs, *]``, int8, and their scales ``[outputs]``.

        Raises:
            TypeError: if the format has no integers.
            ValueError: if a weight is infinite or NaN.
        """
        if not isinstance(self.weight_quant, Scaled):
            raise TypeError(f"{self.weight_quant} has no integers; take quantize.Integer(8), say")
        return self.weight_quant.quantise(self.weight, self._scale())

    def _scale(self) -> Tensor | None:
        # Descent may lead a scale across 0.
        return None if self.weight_scale is None else self.weight_scale.abs().clamp_min(1e-10)

    def _load_from_state_dict(self, state: dict[str, Any], prefix: str, *args: Any) -> None:
        key = f"{prefix}weight_scale"
        if self.weight_scale is not None and key not in state and f"{prefix}weight" in state:
            # The file of a layer of floats: begin as with a new layer of these weights.
            first = self.weight_quant.first_scale(state[f"{prefix}weight"])
            state = {**state, key: first}
        super()._load_from_state_dict(state, prefix, *args)

    def extra_repr(self) -> str:
        """The layer's sizes and its format."""
        return f"{super().extra_repr()}, weight_quant={self.weight_quant}"


class WeightOptions(TypedDict, total=False):
    """The format of a weight, number by number, or as a whole."""

    weight_bit_width: int
    """8 (the default), 4 or 2."""
    per_channel: bool
    """Whether each output has a scale of its own, the default, or the whole weight one."""
    narrow_range: bool
    """Whether the lowest integer is minus the highest, the default, or one lower."""
    learned_scale: bool
    """Whether scales are learned (LSQ); by default they are not."""
    weight_quant: Format
    """A format in place of these numbers: `Ternary`, `Binary`, `Float`."""


def format_of(
    *,
    weight_bit_width: int | None = None,
    per_channel: bool | None = None,
    narrow_range: bool | None = None,
    learned_scale: bool | None = None,
    weight_quant: Format | None = None,
) -> Format:
    """The format that `WeightOptions` describe.

    Raises:
        ValueError: for other widths, and for a format together with its numbers.
    """
    numbers = {
        "bits": weight_bit_width,
        "per_channel": per_channel,
        "narrow_range": narrow_range,
        "learned": learned_scale,
    }
    given: dict[str, Any] = {name: x for name, x in numbers.items() if x is not None}
    if weight_quant is None:
        return Integer(**given)
    if given:
        raise ValueError(
            f"weight_quant={weight_quant} is a format already; give it alone, or the numbers of an "
            "Integer without it"
        )
    return weight_quant


class QuantLinear(QuantLayer, nn.Linear):
    r"""``nn.Linear`` with weights of few bits: :math:`y = x \hat W^\top + b`.

    Weights are floats that learn; each call rounds them to :math:`\hat W`, whose formula and
    gradient `Integer`, `Ternary`, `Binary` and `Float` give. Spikes stay packed, and the
    ``state_dict`` is that of ``nn.Linear``, in both directions; a learned scale is one entry more,
    which begins anew where a file does not have it.

    Args:
        in_features: As for ``nn.Linear``.
        out_features: Likewise.
        bias: Whether there is one; it stays a float.
        device: As for ``nn.Linear``.
        dtype: Likewise.
        options: The format of the weight, 8 bits by default:

            * ``weight_bit_width``: 8, 4 or 2.
            * ``per_channel=True``: whether each output has a scale of its own; brevitas calls it
              ``weight_scaling_per_output_channel``, and has False as its default.
            * ``narrow_range=True``: whether the lowest integer is minus the highest.
            * ``learned_scale=False``: whether scales are learned (LSQ).
            * ``weight_quant``: a format in place of these: `Ternary`, `Binary`, `Float`.

    Raises:
        ValueError: for other widths, and for a format together with what it stands for.

    Example:
        >>> import torch, bitspike as snn
        >>> from bitspike import quantize
        >>> layer = quantize.QuantLinear(100, 10, weight_bit_width=4)
        >>> layer.quant_weight().unique().numel() <= 15 * 10
        True
        >>> spikes = snn.spikegen.rate(torch.rand(8, 100), num_steps=25, packed=True)
        >>> layer(spikes).shape
        torch.Size([25, 8, 10])
    """

    shaped_as = nn.Linear

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[WeightOptions],
    ) -> None:
        super().__init__(in_features, out_features, bias, device=device, dtype=dtype)
        self.quantise_with(format_of(**options))

    def forward(self, input: Tensor) -> Tensor:
        """The product with the rounded weight.

        Where nothing records it, spikes and weights that are -1, 0 and 1 times a scale are counted
        as in `BitLinear`.
        """
        input = as_tensor(input, "input")
        if self.is_bits:
            spikes = bits.countable(input, self.weight, self.bias, self.weight_scale)
            if spikes is not None and spikes.neurons == self.in_features:
                form = cast("Scaled", self.weight_quant)
                integers, scale = form.parts(self.weight.detach(), self._scale())
                return bits.linear(spikes, bits.planes_of(integers, scale, self.bias))
        return F.linear(input, self.quant_weight(), self.bias)


class _QuantConv(QuantLayer, _ConvNd):
    """What convolutions have in common; the other base of a class is its layer of floats.

    Each has a ``forward`` of its own: Dynamo limits how often it compiles one function.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: str | int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[WeightOptions],
    ) -> None:
        conv: dict[str, Any] = {"dilation": dilation, "groups": groups, "bias": bias}
        conv |= {"padding_mode": padding_mode, "device": device, "dtype": dtype}
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, **conv)  # type: ignore[arg-type]
        self.quantise_with(format_of(**options))


class QuantConv1d(_QuantConv, nn.Conv1d):
    r"""``nn.Conv1d`` with weights of few bits; see `QuantLinear`.

    Args:
        in_channels: As for ``nn.Conv1d``, and so are all that follow.
        out_channels: Each is an output with a scale of its own.
        kernel_size: Of the convolution.
        stride: Likewise.
        padding: Likewise.
        dilation: Likewise.
        groups: Likewise.
        bias: Whether there is one; it stays a float.
        padding_mode: As for ``nn.Conv1d``.
        device: Likewise.
        dtype: Likewise.
        options: The format of the weight, as for `QuantLinear`.

    Raises:
        ValueError: as `QuantLinear`.

    Example:
        >>> import torch
        >>> from bitspike import quantize
        >>> layer = quantize.QuantConv1d(3, 8, 3, weight_quant=quantize.Ternary())
        >>> layer(torch.rand(2, 3, 9)).shape
        torch.Size([2, 8, 7])
    """

    shaped_as = nn.Conv1d

    def forward(self, input: Tensor) -> Tensor:
        """The convolution with the rounded weight."""
        input = as_tensor(input, "input")
        out: Tensor = self._conv_forward(input, self.quant_weight(), self.bias)
        return out


class QuantConv2d(_QuantConv, nn.Conv2d):
    r"""``nn.Conv2d`` with weights of few bits; see `QuantLinear`.

    Args:
        in_channels: As for ``nn.Conv2d``, and so are all that follow.
        out_channels: Each is an output with a scale of its own.
        kernel_size: Of the convolution.
        stride: Likewise.
        padding: Likewise.
        dilation: Likewise.
        groups: Likewise.
        bias: Whether there is one; it stays a float.
        padding_mode: As for ``nn.Conv2d``.
        device: Likewise.
        dtype: Likewise.
        options: The format of the weight, as for `QuantLinear`.

    Raises:
        ValueError: as `QuantLinear`.

    Example:
        >>> import torch
        >>> from bitspike import quantize
        >>> layer = quantize.QuantConv2d(3, 8, 3, weight_quant=quantize.Ternary())
        >>> layer(torch.rand(2, 3, 9, 9)).shape
        torch.Size([2, 8, 7, 7])
    """

    shaped_as = nn.Conv2d

    def forward(self, input: Tensor) -> Tensor:
        """The convolution with the rounded weight."""
        input = as_tensor(input, "input")
        out: Tensor = self._conv_forward(input, self.quant_weight(), self.bias)
        return out
