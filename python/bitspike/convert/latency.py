"""Conversion of trained networks into networks whose neurons fire once, at the right time."""

from __future__ import annotations

import copy
import itertools
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from bitspike.arguments import as_tensor, expect_choice, expect_one_device, with_values

from . import parts
from .errors import ConversionError
from .loader import batches, first_batch
from .lowering import lower
from .network import plain
from .normalise import limits
from .parts import Model, Part, Rectifier, Reshape
from .qcfs import QCFS


class Window(NamedTuple):
    """When the neurons of a layer may fire."""

    start: float
    end: float

    @property
    def length(self) -> float:
        """The largest value that a time can stand for."""
        return self.end - self.start


class _Spikes(NamedTuple):
    """Neurons that fire once or not at all."""

    times: Tensor
    """Since the beginning of their window; infinite for those that do not fire."""
    window: Window

    def values(self) -> Tensor:
        """What the times stand for: how long before the end of the window they come."""
        return (self.window.length - self.times).clamp(min=0)

    def through(self, module: nn.Module) -> _Spikes:
        """The same spikes after a module that moves or picks them."""
        times = module(-self.times) if isinstance(module, parts.MAX_POOLS) else module(self.times)
        return _Spikes(-times if isinstance(module, parts.MAX_POOLS) else times, self.window)


class LatencyNetwork(nn.Module):
    """A converted network in which every neuron fires at most once; see `ann_to_ttfs`.

    Attributes:
        windows: When the neurons of each layer may fire, by the paths of the rectifiers that they
            stand for, and that of the inputs.
        dt: The grid of the times, or None.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> ann = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> x = torch.rand(5, 3)
        >>> net = snn.convert.ann_to_ttfs(ann, [x])
        >>> bool((net(x) - ann(x)).abs().max() < 1e-5)
        True
        >>> {name: times.shape for name, times in net.times(x).items()}
        {'input': torch.Size([5, 3]), '1': torch.Size([5, 8])}
    """

    def __init__(self, model: Model, lengths: dict[Part, float], dt: float | None) -> None:
        """Places windows one after another.

        Args:
            model: The calls.
            lengths: What the times of rectifiers, and of the input, can stand for at most; an input
                without one is a current.
            dt: The grid, or None.
        """
        super().__init__()
        self.dt = dt
        self._calls: list[tuple[str, str, list[str]]] = []
        self.windows: dict[str, Window] = {}
        ends: dict[Part, float] = {}
        for part in model.parts:
            start = max((ends[source] for source in part.sources), default=0.0)
            ends[part] = start
            if part in lengths:
                length = lengths[part] if dt is None else math.ceil(lengths[part] / dt) * dt
                self.windows[part.name] = Window(start, start + length)
                ends[part] = start + length
            name = ""
            if part.module is not None:
                name = plain(part.name)
                self.add_module(name, copy.deepcopy(part.module))
            self._calls.append((part.name, name, [source.name for source in part.sources]))
        self._output = model.output.name

    def forward(self, x: Tensor) -> Tensor:
        """What the model returns: the membranes of the last layer when all inputs have arrived.

        Args:
            x: ``[B, *]``.

        Raises:
            ValueError: for inputs outside of their window.
        """
        *_, (_, value) = self._run(x)
        return value.values() if isinstance(value, _Spikes) else value

    def times(self, x: Tensor) -> dict[str, Tensor]:
        """When neurons fire, by layer, ``[B, *]``; infinite for those that do not."""
        return {
            name: value.window.start + value.times
            for name, value in self._run(x)
            if name in self.windows
        }

    def bound(self, x: Tensor) -> Tensor:
        r"""How far the grid can take each output from the model's at most, ``[1, *]``.

        Each time is rounded by half a step at most. A layer's errors enter the next one by the
        absolute values of its weights:

        .. math::
            e_l = \frac{dt}{2} + |W_l|\,e_{l-1}

        Args:
            x: Any input, for shapes.
        """
        shape, half = as_tensor(x, "x").shape, 0.0 if self.dt is None else self.dt / 2
        if len(shape) < 2:
            raise ValueError(f"x must be samples [B, *], not {list(shape)}")
        errors: dict[str, Tensor] = {}
        with torch.no_grad():
            for name, module, sources in self._calls:
                given = [errors[source] for source in sources]
                if not given:
                    like = next(self.parameters(), torch.zeros(()))
                    error = like.new_full((1, *shape[1:]), half if name in self.windows else 0.0)
                elif name in self.windows:
                    error = given[0] + half
                else:
                    error = _unsigned(self.get_submodule(module))(*given)
                errors[name] = error
        return errors[self._output]

    def _run(self, x: Tensor) -> Iterator[tuple[str, Any]]:
        """What all calls make, spikes or numbers."""
        x = as_tensor(x, "x")
        expect_one_device(x, "x", itertools.islice(self.named_parameters(), 1))
        if x.dim() < 2:
            raise ValueError(f"x must be samples [B, *], not {list(x.shape)}")
        if not x.is_floating_point():
            x = x.to(torch.get_default_dtype())
        values: dict[str, Any] = {}
        for name, module, sources in self._calls:
            given = [values[source] for source in sources]
            if not given:
                values[name] = self._encoded(x) if name in self.windows else x
            elif name in self.windows:
                (potential,) = (_numbers(value) for value in given)
                values[name] = self._fired(potential, self.windows[name])
            else:
                layer = self.get_submodule(module)
                keeps = isinstance(layer, Reshape | parts.MAX_POOLS[0] | parts.MAX_POOLS[1])
                if keeps and isinstance(given[0], _Spikes):
                    values[name] = given[0].through(layer)
                else:
                    values[name] = layer(*(_numbers(value) for value in given))
            yield name, values[name]

    def _encoded(self, x: Tensor) -> _Spikes:
        window, seen = self.windows["input"], with_values(x, "x")
        if bool((seen < 0).any()) or bool((seen > window.length).any()):
            raise ValueError(
                f"x must be from 0 to {window.length:.4g}, the inputs that were converted for, but "
                f"is from {float(seen.min()):.4g} to {float(seen.max()):.4g}; pass data with the "
                "whole range to ann_to_ttfs, or inputs='current'"
            )
        return self._fired(x, window)

    def _fired(self, potential: Tensor, window: Window) -> _Spikes:
        """When membranes reach their thresholds, which they approach with slope 1."""
        times = (window.length - potential).clamp(min=0)
        if self.dt is not None:
            times = (times / self.dt).round() * self.dt
        silent = (potential <= 0) | (times >= window.length)
        return _Spikes(times.masked_fill(silent, math.inf), window)


def ann_to_ttfs(
    model: nn.Module,
    loader: Iterable[Any],
    *,
    dt: float | None = None,
    headroom: float = 0.25,
    inputs: str = "times",
) -> LatencyNetwork:
    r"""Converts a trained network of rectifiers into one whose neurons fire once, exactly.

    Layers fire one after another, each in a window ``[t_0, t_1]`` of its own, and the earlier the
    larger the activation that a neuron stands for. A spike lets the membranes behind it rise with
    the slope of its weight, until its window ends. From then on they rise with slope 1, and fire
    when they reach their thresholds:

    .. math::
        U_i(t_0) = \sum_j w_{ij} (t_1^{l-1} - t_j), \qquad ϑ_i = (t_1 - t_0) - b_i
        \quad ⟹ \quad t_i = t_1 - \Big(\sum_j w_{ij} x_j + b_i\Big)

    where :math:`x_j = t_1^{l-1} - t_j`: the times are the activations of the ReLU network, up to
    rounding (Stanojević et al., Nature Communications 2024). Neurons that would fire at ``t_1`` or
    later do not. A max pool passes on the earliest spike. Each spike takes part in one addition per
    connection, and there are as many as there are active rectifiers.

    Windows are as long as activations become. Those that are larger fire when the window begins.

    Args:
        model: As for `ann_to_snn`, without `QCFS`.
        loader: Likewise; windows are chosen from its activations.
        dt: Times are multiples of it, rounded to the nearest: `LatencyNetwork.bound` says what that
            changes at most. By default they are not rounded.
        headroom: How much longer windows are than the largest activation asks for, as a share.
        inputs: ``"times"``, if inputs are spikes as well, for values from 0 up; or ``"current"``,
            if the first layer takes numbers.

    Raises:
        ConversionError: as `ann_to_snn`, and for negative inputs that are to be times.
        GraphError: if the model cannot be captured, with the line of its program.
        ValueError: for a ``dt`` that is not positive or a negative headroom, and as `ann_to_snn`.

    Example:
        >>> import torch, bitspike as snn
        >>> from torch import nn
        >>> ann = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> x = torch.rand(50, 3)
        >>> net = snn.convert.ann_to_ttfs(ann, [x], dt=0.01)
        >>> bool(((net(x) - ann(x)).abs() <= net.bound(x) + 1e-5).all())
        True
    """
    expect_choice("inputs", inputs, ("times", "current"))
    if dt is not None and not (math.isfinite(dt) and dt > 0):
        raise ValueError(f"dt must be a positive number or None, not {dt}")
    if not headroom >= 0:
        raise ValueError(f"headroom must not be negative, but is {headroom}")
    lowered = lower(model, first_batch(loader), pool_currents=False)
    (given,) = (part for part in lowered.parts if part.module is None)
    _expect_times(lowered, given, inputs)
    found = limits(lowered, batches(loader), "max", steps=1, per_channel=False)
    lengths = {part: _length(part, limit, headroom) for part, limit in found.items()}
    if inputs == "times":
        low = min(float(x.min()) for x in batches(loader))
        high = max(float(x.max()) for x in batches(loader))
        if low < 0 or high <= 0:
            raise ConversionError(
                "input",
                f"its values are from {low:.4g} to {high:.4g}, and times stand for values from 0 "
                "up; shift them, or pass inputs='current'",
            )
        lengths[given] = high
    return LatencyNetwork(lowered, lengths, dt)


def _length(part: Part, limit: Tensor, headroom: float) -> float:
    """How long a window is: a rectifier with a limit of its own needs no more than that."""
    assert isinstance(part.module, Rectifier)
    return min(float(limit) * (1 + headroom), part.module.limit)


def _expect_times(model: Model, given: Part, inputs: str) -> None:
    """Refuses calls that times cannot go through."""
    spikes = {given} if inputs == "times" else set()
    for part in model:
        if isinstance(part.module, QCFS):
            raise ConversionError(part.name, "QCFS counts spikes; convert it with ann_to_snn")
        keeps = isinstance(part.module, (Reshape, *parts.MAX_POOLS))
        if parts.is_rectifier(part.module) or (keeps and part.sources[0] in spikes):
            spikes.add(part)
        elif isinstance(part.module, parts.MAX_POOLS) and part.sources[0] is not given:
            raise ConversionError(
                part.name,
                "a max pool picks the earliest of spikes; put it directly in front of a ReLU or "
                "behind one",
            )


def _numbers(value: Any) -> Tensor:
    return value.values() if isinstance(value, _Spikes) else value


def _unsigned(module: nn.Module) -> nn.Module:
    """A layer that says how large the changes of its outputs are at most."""
    module = copy.deepcopy(module)
    for name, parameter in module.named_parameters():
        if name in ("bias", "shift"):
            parameter.zero_()
        else:
            parameter.abs_()
    return module
