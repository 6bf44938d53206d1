"""From a list of calls to layers that run over time."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Size, Tensor, nn

from bitspike import surrogate

from . import parts
from .errors import ConversionError
from .neuron import RateIF
from .parts import Affine, Concatenation, Model, Part, Reshape
from .pooling import RateMaxPool


@dataclass(frozen=True)
class Wire:
    """What a value of the model has become."""

    part: Part
    """The call that makes it, over time."""
    scale: Tensor | None = None
    """What 1 stands for, which broadcasts against one sample; None for 1."""
    positive: bool = False
    """Whether it consists of spikes, or means of them."""
    spikes: bool = False
    """Whether it consists of spikes."""
    constant: bool = False
    """Whether it is the same at all steps, because it depends on no neuron."""


class Builder:
    """Replaces rectifiers by neurons, and makes weights expect what a spike stands for."""

    def __init__(self, limits: dict[Part, Tensor], start: float, max_pool: str) -> None:
        self.limits, self.start, self.max_pool = limits, start, max_pool
        self.parts: list[Part] = []
        self.wires: dict[Part, Wire] = {}

    def build(self, model: Model) -> Model:
        """The same calls with neurons, whose result is what the model returns."""
        for part in model.parts:
            self.wires[part] = self.wire(part)
        output = self.plain(self.wires[model.output])
        return Model(self.parts, output.part)

    def add(self, part: Part, module: nn.Module | None, *sources: Wire, name: str = "") -> Part:
        """A call over time, in the place of one of the model."""
        own = name or part.name
        self.parts.append(Part(own, module, [x.part for x in sources], part.shape))
        return self.parts[-1]

    def wire(self, part: Part) -> Wire:
        """What becomes of a call."""
        module: Any = part.module
        if module is None:
            return Wire(self.add(part, None), constant=True)
        sources = [self.wires[x] for x in part.sources]
        first, constant = sources[0], all(x.constant for x in sources)
        if parts.is_rectifier(module):
            return first if first.positive else self.neuron(part, first)
        if isinstance(module, parts.LINEAR):
            layer = _expecting(module, first.scale)
            if layer is None:
                first, layer = self.plain(first), copy.deepcopy(module)
            if isinstance(layer, nn.Conv2d) and first.spikes:
                # The order in which convolutions of bits are fastest.
                layer = layer.to(memory_format=torch.channels_last)
            return Wire(self.add(part, layer.float(), first), constant=constant)
        if isinstance(module, parts.MAX_POOLS):
            return self.pooled(part, module, first)
        if isinstance(module, parts.AVERAGE_POOLS):
            first = self.plain(first) if _is_of_places(first.scale) else first
            made = self.add(part, module, first)
            return Wire(made, first.scale, first.positive, constant=constant)
        if isinstance(module, Reshape):
            scale = _reshaped(first.scale, part.sources[0].shape, module)
            layer = nn.Flatten() if len(part.shape) == 1 else module
            return Wire(self.add(part, layer, first), scale, first.positive, first.spikes, constant)
        if isinstance(module, Concatenation) and all(x.spikes for x in sources):
            shapes = [x.shape for x in part.sources]
            scale = torch.cat([_full(x.scale, s) for x, s in zip(sources, shapes, strict=True)])
            return Wire(self.add(part, module, *sources), scale, True, True)
        plain = [self.plain(x) for x in sources]
        layer = module.float() if isinstance(module, Affine) else module
        return Wire(self.add(part, layer, *plain), constant=constant)

    def plain(self, wire: Wire) -> Wire:
        """A value in the units of the model."""
        if wire.scale is None:
            return wire
        name = f"{wire.part.name}_scale"
        known = [x for x in self.parts if x.name == name]
        made = known[0] if known else self.add(wire.part, Affine(wire.scale), wire, name=name)
        return Wire(made, None, wire.positive, constant=wire.constant)

    def neuron(self, part: Part, current: Wire) -> Wire:
        """Neurons in the place of a rectifier."""
        limit = self.limits[part]
        neuron = RateIF(
            threshold=limit,
            start=self.start,
            learn_threshold=True,
            # As wide as the threshold is high, as with a threshold of 1.
            spike_grad=surrogate.atan(alpha=2.0 / float(limit.mean())),
            init_hidden=True,
        )
        made = self.add(part, neuron, self.plain(current))
        return Wire(made, limit, positive=True, spikes=True)

    def pooled(self, part: Part, pool: Any, source: Wire) -> Wire:
        """A pool of maxima."""
        if source.constant:
            if isinstance(source.part.module, nn.Conv2d):
                # The order in which max pools of numbers are fastest.
                source.part.module.to(memory_format=torch.channels_last)
            return Wire(self.add(part, pool, source), source.scale, constant=True)
        if self.max_pool == "average":
            options = pool.kernel_size, pool.stride, pool.padding, pool.ceil_mode
            kind = nn.AvgPool1d if isinstance(pool, nn.MaxPool1d) else nn.AvgPool2d
            if pool.dilation not in (1, (1, 1)):
                raise ConversionError(part.name, "a dilated max pool has no average; use 'rate'")
            source = self.plain(source) if _is_of_places(source.scale) else source
            made = self.add(part, kind(*options), source)
            return Wire(made, source.scale, source.positive)
        if not source.spikes or _is_of_places(source.scale):
            raise ConversionError(
                part.name,
                "a max pool needs the rates of neurons; put it directly in front of a ReLU or "
                "behind one, or pass max_pool='average'",
            )
        return Wire(self.add(part, RateMaxPool(pool), source), source.scale, True, True)


def _expecting(layer: nn.Module, scale: Tensor | None) -> nn.Module | None:
    """A layer whose inputs of 1 stand for ``scale``; None if no weights can say so."""
    expecting = copy.deepcopy(layer)
    if scale is None:
        return expecting
    weighted: Any = expecting
    if scale.numel() > 1:
        places = scale.dim() - 1
        if isinstance(expecting, nn.Linear):
            scale = scale.view(-1) if not places else None
        elif _is_of_places(scale):
            scale = None
        else:
            # A group of a convolution sees its own channels alone.
            of_groups = scale.view(weighted.groups, 1, -1)
            of_groups = of_groups.expand(-1, weighted.out_channels // weighted.groups, -1)
            scale = of_groups.reshape(weighted.out_channels, -1, *[1] * places)
        if scale is None:
            return None
    weighted.weight = nn.Parameter(weighted.weight * scale, requires_grad=False)
    return expecting


def _full(scale: Tensor | None, shape: Size) -> Tensor:
    """A scale for each channel of a sample."""
    scale = torch.ones(()) if scale is None else scale
    wanted = (shape[0], *[1] * (len(shape) - 1)) if scale.numel() <= shape[0] else shape
    return scale.expand(wanted)


def _is_of_places(scale: Tensor | None) -> bool:
    """Whether a scale differs between the places of a channel, as one behind a reshape may."""
    return scale is not None and any(size > 1 for size in scale.shape[1:])


def _reshaped(scale: Tensor | None, before: Size, reshape: Reshape) -> Tensor | None:
    """The scale of values whose samples have another shape."""
    if scale is None or scale.numel() == 1:
        return scale
    return scale.expand(before).reshape(reshape.shape)
