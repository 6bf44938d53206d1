"""Weights of few bits without training: which scales do the least harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, expect_choice, with_values
from bitspike.graph import Node, Value, capture
from bitspike.graph.values import values_of
from bitspike.layers import TimeDropout
from bitspike.neurons.base.neuron import SpikingNeuron

from .format import Format
from .formats import Integer
from .networks import Settings, prepare
from .training import QuantLayer

if TYPE_CHECKING:
    from typing_extensions import Unpack

_PASS = (nn.Identity, nn.Flatten, nn.Dropout, nn.Dropout1d, nn.Dropout2d, TimeDropout)
"""What may stand between a layer and its neurons."""
_SHAPES = ("flatten", "reshape", "view", "squeeze", "unsqueeze", "unflatten")
_MOST_STEPS = 2**20
"""The most steps of a weight up to the threshold: of integers, whose room is limited."""


@torch.no_grad()
def post_training(
    net: nn.Module,
    weight_quant: Format | int = 8,
    *,
    search: str = "max",
    x: Tensor | None = None,
    **settings: Unpack[Settings],
) -> nn.Module:
    r"""A trained network with weights of few bits, whose scales do little harm.

    What `prepare` returns for the same arguments, with learned scales that begin as follows, so
    that training may go on from them; `freeze` makes plain layers of it. Scales of an `Integer`
    format are searched, output by output if it is ``per_channel``:

    * ``search="max"``: the smallest scale with which no weight is clipped.
    * ``search="mse"``: between 0.3 of that and all of it, the one with the least
      :math:`\sum (W - \hat W)^2`; large weights may be clipped.

    They are rounded to 16 significant bits, so that integer times scale is a float exactly, and
    what has been quantised once is not changed by doing it again.

    With ``x`` they are aware of thresholds: where a layer's outputs go to neurons, directly or
    through a change of shape, its scale becomes :math:`θ/k` for the largest whole number ``k``
    with which it is not smaller than that; then the threshold is a whole number of steps, and
    integers cross it where floats do.

    Args:
        net: The network, which stays as it is.
        weight_quant: As for `prepare`. `Ternary` and `Binary` have no scale to search.
        search: ``"max"`` or ``"mse"``.
        x: What ``net`` is called with, an example in the right shape: one step ``[B, *]``, or a
            sequence for a network of ``multi_step`` neurons.
        settings: As for `prepare`.

    Raises:
        ValueError: as `prepare`, for another search, and with the name of the layer if its weights
            are infinite or NaN, or its neurons have thresholds that it can have no scales for.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> from bitspike import quantize
        >>> net = nn.Sequential(nn.Linear(64, 32), snn.Leaky(beta=0.9, init_hidden=True))
        >>> few = quantize.post_training(net, 4, x=torch.rand(2, 64), first=4)
        >>> steps = 1.0 / few[0].integer_weight().scale
        >>> bool((steps - steps.round()).abs().max() < 1e-4)
        True
    """
    expect_choice("search", search, ("max", "mse"))
    net = prepare(net, weight_quant, **settings)
    found = {name: layer for name, layer in net.named_modules() if isinstance(layer, QuantLayer)}
    thresholds = {} if x is None else _thresholds(net, found, with_values(as_tensor(x, "x"), "x"))
    for name, layer in found.items():
        form = layer.weight_quant
        if not isinstance(form, Integer):
            continue
        weight = layer.weight.detach()
        if not weight.isfinite().all():
            raise ValueError(f"{name}: its weight has values that are infinite or NaN")
        scale = _searched(form, weight, search)
        if name in thresholds:
            scale = _aligned(form, weight, scale, thresholds[name])
        layer.quantise_with(replace(form, learned=True))
        assert layer.weight_scale is not None
        layer.weight_scale.copy_(scale)
    return net


def _searched(form: Integer, weight: Tensor, search: str) -> Tensor:
    """The scale ``[outputs]``, or ``[1]``."""
    largest = _short(_covering(form, weight))
    if search == "max":
        return largest
    best, least = largest, _error(form, weight, largest)
    for percent in reversed(range(30, 100)):
        scale = _short(largest * (percent / 100))
        error = _error(form, weight, scale)
        best, least = torch.where(error < least, scale, best), torch.minimum(error, least)
    return best


def _covering(form: Integer, weight: Tensor) -> Tensor:
    """The smallest scale with which no weight is clipped."""
    upwards = replace(form, narrow_range=True).largest_scale(weight.clamp_min(0))
    downwards = form.largest_scale(weight.clamp_max(0))
    return torch.maximum(upwards, downwards)


def _short(scale: Tensor) -> Tensor:
    """A scale of 16 significant bits: its products with integers of 8 bits are exact."""
    mantissa, exponent = torch.frexp(scale)
    return torch.ldexp((mantissa * 2**16).round() / 2**16, exponent)


def _error(form: Integer, weight: Tensor, scale: Tensor) -> Tensor:
    return _squares(form, form.rounded(weight, scale) - weight)


def _squares(form: Integer, x: Tensor) -> Tensor:
    """The sum of squares of the weights that share a scale."""
    squares = x.square().flatten(1).sum(1)
    return squares if form.per_channel else squares.sum().view(1)


def _aligned(form: Integer, weight: Tensor, scale: Tensor, threshold: Tensor) -> Tensor:
    """The smallest scale from this one on of which the threshold is a multiple."""

    def steps(scale: Tensor) -> Tensor:
        return (threshold / scale * (1 + 1e-6)).floor().clamp(1, _MOST_STEPS)

    count, most = steps(scale), steps(_covering(form, weight))
    # Weights that lie on such steps already keep them. Rounding has brought the largest nearer by
    # half a step at most, which makes two steps more of up to 254.
    for fewer in (2, 1, 0):
        before = (most - fewer).clamp_min(1)
        lie_there = _error(form, weight, threshold / before) < 1e-9 * _squares(form, weight)
        count = torch.where(lie_there, before, count)
    return threshold / count


def _thresholds(net: nn.Module, layers: dict[str, QuantLayer], x: Tensor) -> dict[str, Tensor]:
    """The thresholds of the neurons that follow layers, ``[outputs]`` or ``[1]``, by name."""
    readers: dict[Value, list[Node]] = {}
    outputs: dict[nn.Module, Value] = {}
    for node in capture(net, x).nodes:
        if node.module is not None and node.outputs:
            outputs.setdefault(node.module, node.outputs[0])
        for value in values_of((node.args, node.kwargs)):
            readers.setdefault(value, []).append(node)
    found = {}
    for name, layer in layers.items():
        inside = net.get_submodule(name.rpartition(".")[0])
        neurons = [inside] if isinstance(inside, SpikingNeuron) else []
        if layer in outputs:
            neurons += _neurons(outputs[layer], readers)
        if neurons:
            found[name] = _threshold_of(name, layer, neurons)
    return found


def _neurons(value: Value, readers: dict[Value, list[Node]]) -> Iterator[SpikingNeuron]:
    """The neurons that a value goes to, directly or through a change of shape."""
    for node in readers.get(value, []):
        module = node.module
        if isinstance(module, SpikingNeuron):
            yield module
        elif isinstance(module, _PASS) or (module is None and node.name in _SHAPES):
            yield from _neurons(node.outputs[0], readers)


def _threshold_of(name: str, layer: QuantLayer, neurons: list[SpikingNeuron]) -> Tensor:
    """The threshold of neurons as that of each output of the layer before them."""
    first, *others = [neuron.firing_threshold().detach().float() for neuron in neurons]
    if any(not torch.equal(first, other) for other in others):
        raise ValueError(f"{name}: its neurons have thresholds that differ; leave out x")
    if not bool((first > 0).all()):
        raise ValueError(f"{name}: its neurons have thresholds that are not positive; leave out x")
    form = layer.weight_quant
    outputs = len(layer.weight) if isinstance(form, Integer) and form.per_channel else 1
    if first.numel() == 1:
        return first.view(1).expand(outputs)
    if first.numel() != outputs or len(first) != outputs:
        raise ValueError(
            f"{name}: thresholds {tuple(first.shape)} are not one for each of {outputs} scales; "
            "leave out x"
        )
    return first.flatten()
