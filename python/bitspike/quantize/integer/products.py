"""Linear layers and convolutions of a network file, in integers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bitspike.graph import GraphError
from bitspike.quantize.format import Quantised, Scaled
from bitspike.quantize.formats import Integer
from bitspike.quantize.training import QuantLayer

from . import bounds
from .packing import packed
from .signals import Product, Signal

_FINEST = 2.0**-20
"""A scale is at least so much of a bias: where all weights are nearly 0, biases stay small."""


def product_op(graph: Any, op: dict[str, Any]) -> None:
    """Adds a linear layer or a convolution to an `IntegerGraph`, once somebody reads it.

    Raises:
        GraphError: for integers whose units differ from neuron to neuron.
        ValueError: for a weight that its format does not hold.
    """
    source = graph.read(op["in"])
    unit = float(source.scale.flatten()[0])
    if not bool((source.scale == unit).all()):
        raise GraphError(
            f"{op['out']} multiplies integers whose units differ from neuron to neuron: put "
            "neurons in front of it"
        )
    weight = _fine(_quantised(graph, op["weight"]))
    bias = None if op["bias"] is None else graph.tensors[op["bias"]].double()
    scale = torch.where(weight.scale > 0, weight.scale.double(), 1.0) * unit
    if bias is not None:
        scale = torch.maximum(scale, bias.abs() * _FINEST)
    shape = graph.shape(op["out"])
    by_output = (-1, *[1] * (len(shape) - 1))

    def emit(scale: Tensor) -> Signal:
        scale = scale.flatten(1)[:, 0] if scale.dim() > 1 else scale
        return _add(graph, op, scale, weight, unit)

    graph.add_later(op["out"], Product(scale.view(by_output).expand(shape), emit))


def _add(graph: Any, op: dict[str, Any], scale: Tensor, weight: Quantised, unit: float) -> Signal:
    """Adds a product with a scale for each output, for inputs of this unit."""
    integers, own = weight
    if not torch.equal(scale, own.double() * unit):
        rows = (scale / unit).view(-1, *[1] * (integers.dim() - 1))
        floats = _floats(graph, op["weight"], weight).double()
        integers = (floats / rows).round().clamp(-128, 127).to(torch.int8)
    bias = None
    if op["bias"] is not None:
        bias = (graph.tensors[op["bias"]].double() / scale).round()
        if bool((bias.abs() > 2**31 - 1).any()):
            raise ValueError(f"{op['bias']} is too large for the scales of {op['weight']}")
        bias = bias.to(torch.int32)
        graph.tensors[op["bias"]] = bias
    stored, bits, shift = packed(integers)
    graph.tensors[op["weight"]] = stored
    shape = graph.shape(op["out"])
    bound = _bound(graph.read(op["in"]).bound, integers, bias, op.get("groups", 1))
    by_output = (-1, *[1] * (len(shape) - 1))
    about = {"shape": list(integers.shape), "bits": bits, "shift": shift}
    about["acc_bound"] = int(bound.max())
    signal = Signal(
        scale.view(by_output).expand(shape), bound.view(by_output).expand(shape).contiguous()
    )
    graph.add({**op, **about}, signal)
    return signal


def _bound(inputs: Tensor, integers: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    """That of each output of a product, for those of its inputs."""
    if integers.dim() > 2:
        # Of each channel, for each tap of an output's group.
        outputs, channels = integers.shape[:2]
        largest = inputs.flatten(1).amax(1).view(groups, 1, channels)
        largest = largest.expand(groups, outputs // groups, channels).reshape(outputs, -1)
        inputs = largest.repeat_interleave(integers[0, 0].numel(), 1)
    return bounds.of_sums(integers.flatten(1), bias, inputs)


def _quantised(graph: Any, name: str) -> Quantised:
    """The integers of a weight: those of its layer, if it has some."""
    layer = graph.layers.get(name)
    if isinstance(layer, QuantLayer) and isinstance(layer.weight_quant, Scaled):
        return layer.integer_weight()
    weight_quant: Scaled = graph.options.weight_quant
    try:
        return weight_quant.quantise(graph.tensors[name])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _floats(graph: Any, name: str, weight: Quantised) -> Tensor:
    """The floats that integers stand for: before they were rounded, if that is known."""
    return graph.tensors[name] if isinstance(_form(graph, name), Integer) else weight.values()


def _form(graph: Any, name: str) -> Scaled:
    """The format of a weight."""
    own = getattr(graph.layers.get(name), "weight_quant", None)
    return own if isinstance(own, Scaled) else graph.options.weight_quant


def _fine(weight: Quantised) -> Quantised:
    """The same in the smallest unit with which integers have 8 bits: states are as fine."""
    low, high = (int(x) for x in weight.integers.aminmax())
    gain = next(k for k in (64, 32, 16, 8, 4, 2, 1) if low * k >= -128 and high * k <= 127)
    return Quantised(weight.integers * gain, weight.scale / gain)
