"""Existing networks with weights of few bits, and the way back."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypedDict

import torch
from torch import nn

from bitspike.analysis.observe import SYNAPSES
from bitspike.neurons.base.neuron import SpikingNeuron

from .bits import BitLinear, planes_of
from .format import Format
from .formats import Integer
from .training import QuantConv1d, QuantConv2d, QuantLayer, QuantLinear

_KINDS: dict[type[nn.Module], type[QuantLayer]] = {
    kind.shaped_as: kind for kind in (QuantLinear, QuantConv1d, QuantConv2d)
}

Setting = Format | int | None
"""A format, bits of an `Integer`, or None for floats."""


class Settings(TypedDict, total=False):
    """Which layers get another format than the others, as `prepare` takes it."""

    first: Setting
    """That of the first layer; by default it stays floats."""
    last: Setting
    """That of the last layer, likewise."""
    layers: Mapping[str, Setting]
    """Those of single layers by their names, before all else."""
    in_place: bool
    """Whether the network itself is changed; by default a copy is."""


def prepare(
    net: nn.Module,
    weight_quant: Format | int = 8,
    *,
    first: Setting = None,
    last: Setting = None,
    layers: Mapping[str, Setting] | None = None,
    in_place: bool = False,
) -> nn.Module:
    """A network whose weights are rounded in every call, to train it with that in view.

    Each ``nn.Linear``, ``nn.Conv1d`` and ``nn.Conv2d`` becomes a `QuantLinear`, `QuantConv1d` or
    `QuantConv2d` in the same place, with the same parameters and hooks; those that are quantised
    already get the new format. Names and the ``state_dict`` stay. The first layer, which sees the
    data, and the last one, which makes the decision, remain floats unless told otherwise; first
    and last are those that the network lists first and last, connections of recurrent neurons
    apart.

    Args:
        net: The network, which stays as it is.
        weight_quant: The format of weights, or the bits of an `Integer`.
        first: The format of the first layer, or its bits; None leaves floats.
        last: That of the last layer, likewise.
        layers: Those of single layers by their names in ``net.named_modules()``, before all else.
        in_place: Whether ``net`` itself is changed.

    Raises:
        ValueError: for other numbers of bits, with the name of the layer, for names that are no
            layer, for a layer of another class than these three (a parametrised one, say), and if
            no layer is left to quantise.

    Example:
        >>> import bitspike as snn
        >>> from torch import nn
        >>> from bitspike import quantize
        >>> lif = dict(beta=0.9, init_hidden=True)
        >>> net = nn.Sequential(nn.Linear(64, 100), snn.Leaky(**lif), nn.Linear(100, 100),
        ...                     snn.Leaky(**lif), nn.Linear(100, 10), snn.Leaky(**lif))
        >>> few = quantize.prepare(net, quantize.Ternary(), last=8)
        >>> [type(few[i]).__name__ for i in (0, 2, 4)]
        ['Linear', 'QuantLinear', 'QuantLinear']
    """
    found = dict(_weighted(net))
    chosen: dict[str, Setting] = dict.fromkeys(found, weight_quant)
    outer = [name for name in found if not _is_inside_neuron(net, name)]
    if outer:
        chosen[outer[-1]] = last
        chosen[outer[0]] = first
    for name, setting in (layers or {}).items():
        if name not in found:
            raise ValueError(
                f"layers names {name!r}, which is no layer of weights; there are "
                + (", ".join(map(repr, found)) or "none")
            )
        chosen[name] = setting
    formats = {name: _format(name, setting) for name, setting in chosen.items()}
    for name, form in formats.items():
        if form is not None and _kind(found[name]) is None:
            raise ValueError(
                f"{name} is a {type(found[name]).__name__}, and only nn.Linear, nn.Conv1d and "
                f"nn.Conv2d themselves are quantised: pass layers={{{name!r}: None}} to leave it"
            )
    if not any(formats.values()):
        raise ValueError(
            "nothing is left to quantise: the first and the last layer of weights stay floats; "
            "pass first, last, or layers"
        )
    net = net if in_place else copy.deepcopy(net)
    for name, form in formats.items():
        layer: Any = net.get_submodule(name)
        if form is None:
            _to_floats(layer, rounded=False)
            continue
        layer.__class__ = _kind(layer)
        layer.quantise_with(form)
    return net


def _weighted(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    for name, module in net.named_modules():
        if isinstance(module, SYNAPSES):
            yield name, module


def _is_inside_neuron(net: nn.Module, name: str) -> bool:
    parent, _, _ = name.rpartition(".")
    return isinstance(net.get_submodule(parent), SpikingNeuron)


def _kind(layer: nn.Module) -> type[QuantLayer] | None:
    if type(layer) in _KINDS.values():
        return type(layer)  # type: ignore[return-value]
    return _KINDS.get(type(layer))


def _format(name: str, setting: Setting) -> Format | None:
    if setting is None or isinstance(setting, Format):
        return setting
    try:
        return Integer(setting)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


@torch.no_grad()
def freeze(net: nn.Module, *, bits: bool = False, in_place: bool = False) -> nn.Module:
    """The way back: a network of plain layers that hold the rounded weights.

    It computes what the quantised one does in training, bit for bit, rounds nothing any more, and
    is what `bitspike.save_network`, NIR and `bitspike.fuse` take.

    Args:
        net: A network with `QuantLayer` s, which stays as it is.
        bits: Whether linear layers whose weights are -1, 0 and 1, times a scale, become
            `BitLinear` s: their weights take one or two bits, and cannot be trained.
        in_place: Whether ``net`` itself is changed.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> from bitspike import quantize
        >>> layer = quantize.QuantLinear(20, 10, weight_quant=quantize.Binary())
        >>> x = torch.rand(3, 20)
        >>> torch.equal(quantize.freeze(layer)(x), layer(x))
        True
        >>> quantize.freeze(layer, bits=True)
        BitLinear(in_features=20, out_features=10, bits=1)
    """
    net = net if in_place else copy.deepcopy(net)
    for module in list(net.modules()):
        if bits and isinstance(module, QuantLinear) and module.is_bits:
            _to_bits(module)
        elif isinstance(module, QuantLayer):
            _to_floats(module, rounded=True)
    return net


def _to_floats(layer: nn.Module, rounded: bool) -> None:
    """Makes a quantised layer one of floats: rounded ones, or those that have learned."""
    if not isinstance(layer, QuantLayer):
        return
    if rounded:
        weight = layer.quant_weight().detach()
        layer.weight = nn.Parameter(weight, layer.weight.requires_grad)
    del layer.weight_quant, layer.weight_scale
    layer.__class__ = layer.shaped_as  # type: ignore[assignment]


def _to_bits(layer: QuantLinear) -> None:
    """Makes a linear layer one of bits, in place, so that all who hold it see it."""
    planes = planes_of(*layer.integer_weight(), layer.bias)
    for name in ("weight", "bias", "weight_scale", "weight_quant"):
        delattr(layer, name)
    layer.__class__ = BitLinear  # type: ignore[assignment]
    for name, value in planes._asdict().items():
        layer.register_buffer(name, value)
