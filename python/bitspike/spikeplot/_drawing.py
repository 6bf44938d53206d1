"""What the pictures share: colours, labels, and numbers from tensors."""

from __future__ import annotations

import math
from importlib import import_module
from typing import TYPE_CHECKING, Any

from torch import Tensor

from bitspike.arguments import as_array, as_tensor, with_values
from bitspike.spikes.tensor import SpikeTensor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREY, SHADE = "#2f6db3", "#d9702b", "#7b818a", "#eceef1"


def matplotlib_module(name: str) -> Any:
    """A module of matplotlib, which is optional."""
    try:
        return import_module(f"matplotlib.{name}")
    except ImportError as missing:
        raise ImportError(
            "bitspike.spikeplot needs matplotlib: pip install 'bitspike[plot]'"
        ) from missing


def drawable(data: float | Tensor, name: str) -> Tensor:
    """An argument as a tensor with values, without its graph.

    Raises:
        TypeError: if it is no dense tensor of real numbers, and nothing that becomes one.
    """
    return with_values(as_tensor(data, name), name).detach()


def with_axes(data: Tensor, name: str, *axes: str) -> Tensor:
    """An argument as `drawable` gives it, with these axes.

    Raises:
        ValueError: if it has others.
    """
    data = drawable(data, name)
    if data.dim() != len(axes):
        raise ValueError(f"{name} must be [{', '.join(axes)}], not {tuple(data.shape)}")
    return data


def numbers(data: Tensor) -> Any:
    """The values as an array that matplotlib takes."""
    plain = data.dense() if isinstance(data, SpikeTensor) else data
    return as_array(plain.double(), "data")


def events(data: Tensor) -> tuple[Tensor, Tensor]:
    """Step and neuron of each spike of ``[T, N]`` or ``[T]``."""
    if not isinstance(data, SpikeTensor):
        table = data if data.dim() == 2 else data.unsqueeze(1)
        steps, neurons = table.cpu().nonzero(as_tuple=True)
        return steps, neurons
    # The words, as one sample with a row per step, whatever axes are rows and features.
    data = data.channels_first()
    words = data.words.reshape(math.prod(data.words.shape[:-1]), 1, data.words.shape[-1])
    row, _, bit = SpikeTensor(words, (data.neurons,)).to_events()
    place = row * data.neurons + bit
    width = data.shape[1] if data.dim() == 2 else 1
    if data.is_transposed:
        return place % data.shape[0], place // data.shape[0]
    return place // width, place % width


def label_axes(ax: Axes, x: str, y: str) -> None:
    """Names the axes, unless they have names."""
    if not ax.get_xlabel():
        ax.set_xlabel(x)
    if not ax.get_ylabel():
        ax.set_ylabel(y)
