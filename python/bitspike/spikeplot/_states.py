"""Pictures of membranes and other states over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from bitspike.arguments import as_array

from ._drawing import (
    BLUE,
    GREY,
    ORANGE,
    drawable,
    events,
    label_axes,
    matplotlib_module,
    numbers,
    with_axes,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D


def membrane(
    data: Tensor,
    ax: Axes,
    threshold: float | Tensor = 1.0,
    spk: Tensor | None = None,
    **kwargs: Any,
) -> list[Artist]:
    """Draws the membrane of one neuron, its threshold, and its spikes as dots.

    Args:
        data: The membrane ``[T]``.
        ax: Where to draw.
        threshold: A number.
        spk: The spikes ``[T]`` of the neuron.
        kwargs: For ``Axes.plot``, of the membrane.

    Returns:
        The membrane, the threshold and, if ``spk`` is given, the dots.

    Raises:
        ValueError: if ``data`` is not ``[T]``, or ``spk`` has another shape.

    Example:
        >>> from matplotlib.figure import Figure
        >>> lif = snn.Leaky(beta=0.9, multi_step=True)
        >>> spk, mem = lif(torch.full((50, 1, 1), 0.3))
        >>> ax = Figure().subplots()
        >>> artists = snn.spikeplot.membrane(mem[:, 0, 0], ax, lif.threshold, spk[:, 0, 0])
        >>> [artist.get_label() for artist in artists]
        ['membrane', 'threshold', 'spike']
    """
    data = with_axes(data, "data", "T")
    values, height = numbers(data), float(drawable(threshold, "threshold"))
    style: dict[str, Any] = {"color": BLUE, "linewidth": 1.6, "label": "membrane"} | kwargs
    artists: list[Artist] = [
        *ax.plot(values, **style),
        ax.axhline(height, color=GREY, linestyle="--", linewidth=1.2, label="threshold"),
    ]
    if spk is not None:
        spk = drawable(spk, "spk")
        if spk.shape != data.shape:
            raise ValueError(f"spk must be {tuple(data.shape)} like data, not {tuple(spk.shape)}")
        steps = as_array(events(spk)[0], "spk")
        artists.append(
            ax.scatter(steps, values[steps], color=ORANGE, s=30, zorder=3, label="spike")
        )
    label_axes(ax, "step", "membrane")
    ax.spines[["top", "right"]].set_visible(False)
    return artists


def traces(
    data: Tensor,
    spk: Tensor | None = None,
    dim: tuple[int, int] = (3, 3),
    spk_height: float = 5,
    titles: Sequence[str] | None = None,
) -> list[Line2D]:
    """Draws one neuron per panel of a grid, in the current figure of pyplot.

    Args:
        data: Membranes or other states ``[T, N]``; as many neurons as there are panels are drawn.
        spk: Spikes ``[T, N]``, which ride on the traces: ``data + spk_height·spk``.
        dim: Rows and columns of the grid.
        spk_height: The height of a spike.
        titles: One for each panel, from the first on.

    Raises:
        ValueError: if ``data`` is not ``[T, N]``, or ``spk`` has another shape.
        ImportError: without matplotlib.

    Example:
        >>> import matplotlib, matplotlib.pyplot as plt
        >>> matplotlib.use("Agg")
        >>> spk, mem = snn.Leaky(beta=0.9, multi_step=True)(torch.rand(100, 1, 6))
        >>> lines = snn.spikeplot.traces(mem[:, 0], spk[:, 0], dim=(2, 3), spk_height=1)
        >>> len(lines)
        6
        >>> plt.close()
    """
    data = with_axes(data, "data", "T", "N")
    values = numbers(data)
    if spk is not None:
        spk = drawable(spk, "spk")
        if spk.shape != data.shape:
            raise ValueError(f"spk must be {tuple(data.shape)} like data, not {tuple(spk.shape)}")
        values = values + spk_height * numbers(spk)
    figure = matplotlib_module("pyplot").gcf()
    grid = figure.add_gridspec(*dim)
    lines: list[Line2D] = []
    for i in range(min(math.prod(dim), values.shape[1])):
        ax = figure.add_subplot(grid[i], sharey=lines[0].axes if lines else None)
        lines += ax.plot(values[:, i], color=BLUE, linewidth=1.2)
        if titles is not None and i < len(titles):
            ax.set_title(titles[i])
        ax.axis("off")
    return lines
