"""Pictures of spikes over time."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from bitspike.arguments import as_array

from ._drawing import BLUE, drawable, events, label_axes, numbers, with_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection, QuadMesh

MOST_SPIKES = 1_000_000
"""`raster` draws no more than so many."""


def raster(data: Tensor, ax: Axes, **kwargs: Any) -> PathCollection:
    """Draws every spike as a mark at its step and neuron.

    A `SpikeTensor` is drawn from its events and never unpacked. Of more than a million spikes an
    evenly spread million is drawn, with a warning.

    Args:
        data: Spikes ``[T, N]``, or ``[T]`` of one neuron; what is not zero is a spike.
        ax: Where to draw.
        kwargs: For ``Axes.scatter``. Without size and marker, spikes are dashes as high as a row.

    Raises:
        ValueError: for another number of axes.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> spikes = snn.spikegen.rate(torch.rand(1, 50), num_steps=100, packed=True)
        >>> marks = snn.spikeplot.raster(spikes[:, 0], ax)
        >>> len(marks.get_offsets()) == int(spikes.sum())
        True
    """
    data = drawable(data, "data")
    if data.dim() not in (1, 2):
        raise ValueError(
            f"data must be [T, N] or [T], not {tuple(data.shape)}: select one sample, and flatten "
            "its neurons"
        )
    steps, neurons = events(data)
    columns = data.shape[1] if data.dim() == 2 else 1
    if len(steps) > MOST_SPIKES:
        warnings.warn(f"raster draws {MOST_SPIKES:,} of {len(steps):,} spikes", stacklevel=2)
        kept = _spread(len(steps), MOST_SPIKES)
        steps, neurons = steps[kept], neurons[kept]
    if not {"s", "marker"} & kwargs.keys():
        row = _height(ax) / max(columns, 1)
        kwargs |= {"s": min(max(0.8 * row, 1.5), 14.0) ** 2, "marker": "|"}
        kwargs.setdefault("linewidths", 1.0)
        if not {"c", "color"} & kwargs.keys():
            kwargs["color"] = BLUE
    label_axes(ax, "step", "neuron")
    marks = ax.scatter(as_array(steps, "data"), as_array(neurons, "data"), **kwargs)
    # Silent steps and neurons are part of the picture.
    ax.update_datalim([(0, 0), (max(data.shape[0], 1) - 1, max(columns, 1) - 1)])
    ax.autoscale_view()
    return marks


def rates(
    data: Tensor,
    ax: Axes,
    window: int | None = None,
    time_step: float | bool = False,
    cmap: str = "viridis",
    **kwargs: Any,
) -> QuadMesh:
    """Draws how often each neuron fires, over time, as a heat map with a colour bar.

    The rate is the mean number of spikes per step in windows that follow each other; a last,
    shorter window counts by its own length.

    Args:
        data: Spikes ``[T, N]``; the bits of a `SpikeTensor` are counted as they are.
        ax: Where to draw.
        window: Steps per window; by default such that there are about 25.
        time_step: The duration of a step in seconds, for axes in seconds and Hz; or False.
        cmap: The colour map.
        kwargs: For ``Axes.pcolormesh``.

    Returns:
        The mesh; its ``colorbar`` is the colour bar.

    Raises:
        ValueError: if ``data`` is not ``[T, N]`` or is empty, or the window is not positive.

    Example:
        >>> from matplotlib.figure import Figure
        >>> spikes = snn.spikegen.rate(torch.rand(1, 20), num_steps=100, packed=True)
        >>> mesh = snn.spikeplot.rates(spikes[:, 0], Figure().subplots(), window=25)
        >>> mesh.get_array().shape
        (20, 4)
    """
    data = with_axes(data, "data", "T", "N")
    steps, neurons = data.shape
    if not data.numel():
        raise ValueError(f"data must not be empty, but has shape {tuple(data.shape)}")
    window = max(round(steps / 25), 1) if window is None else window
    if window < 1:
        raise ValueError(f"window must be a positive number of steps, not {window}")
    edges = [*range(0, steps, window), steps]
    spans = list(zip(edges[:-1], edges[1:], strict=True))
    duration = float(time_step) if time_step else 1.0
    columns = [numbers(data[a:b].sum(0)) / ((b - a) * duration) for a, b in spans]
    style: dict[str, Any] = {"cmap": cmap, "vmin": 0} | kwargs
    mesh = ax.pcolormesh(
        [edge * duration for edge in edges],
        [n - 0.5 for n in range(neurons + 1)],
        list(zip(*columns, strict=True)),
        **style,
    )
    unit = "rate [Hz]" if time_step else "spikes per step"
    ax.figure.colorbar(mesh, ax=ax, label=unit, pad=0.02)
    label_axes(ax, "time [s]" if time_step else "step", "neuron")
    return mesh


def _spread(count: int, wanted: int) -> Tensor:
    """Indices of ``wanted`` of ``count`` things in order: a random one of each equal part.

    A regular choice would alias with spikes that repeat regularly.
    """
    places = torch.arange(wanted, dtype=torch.float64, device="cpu")
    places += torch.empty_like(places).uniform_(generator=torch.Generator("cpu").manual_seed(0))
    return (places * (count / wanted)).long().clamp(max=count - 1)


def _height(ax: Axes) -> float:
    """The height of the axes in points."""
    return float(ax.bbox.height * 72 / ax.figure.dpi)
