"""Pictures of what a network answers, and animations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from ._drawing import BLUE, GREY, ORANGE, SHADE, label_axes, matplotlib_module, numbers, with_axes

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure


def spike_count(
    data: Tensor,
    fig: Figure,
    ax: Axes,
    labels: Sequence[str],
    num_steps: int | bool = False,
    animate: bool = False,
    interpolate: int = 1,
    gridshader: bool = True,
    interval: int = 25,
    time_step: float | bool = False,
) -> BarContainer | FuncAnimation:
    """Draws how many spikes each output neuron emits, as bars; or how they grow, as an animation.

    A spike is as long as a step, so that an animation shows time on the same axis, as a line.

    Args:
        data: Spikes ``[T, N]``.
        fig: The figure, for the animation.
        ax: Where to draw.
        labels: The name of each neuron.
        num_steps: Count so many steps; by default all.
        animate: Whether to return an animation.
        interpolate: Frames per step.
        gridshader: Whether to shade the background in stripes.
        interval: Milliseconds per frame.
        time_step: The duration of a step in seconds, to label the axis with; or False.

    Returns:
        The bars, or the animation, to be kept until it is shown or saved.

    Raises:
        ValueError: if ``data`` is not ``[T, N]``, or there is not one label per neuron, or
            ``num_steps`` or ``interpolate`` is out of range.
        ImportError: for an animation without matplotlib.

    Example:
        >>> from matplotlib.figure import Figure
        >>> fig = Figure()
        >>> spikes = torch.tensor([[0.0, 1.0], [1.0, 1.0]])
        >>> bars = snn.spikeplot.spike_count(spikes, fig, fig.subplots(), ["cat", "dog"])
        >>> [bar.get_width() for bar in bars] == [1, 2]
        True
    """
    data = with_axes(data, "data", "T", "N")
    steps = _steps(data, num_steps)
    if len(labels) != data.shape[1]:
        raise ValueError(f"labels must name {data.shape[1]} neurons, but there are {len(labels)}")
    if interpolate < 1:
        raise ValueError(f"interpolate must be a positive number of frames, not {interpolate}")
    total = numbers(data[:steps].sum(0))
    bars = ax.barh(range(len(labels)), total, color=BLUE, height=0.5, zorder=2)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(-0.6, len(labels) - 0.4)
    ax.set_xlim(0, max(steps, 1))
    ax.spines[["top", "right"]].set_visible(False)
    if time_step:
        ax.xaxis.set_major_formatter(lambda steps, _: f"{steps * time_step:g}")
    counted = "spikes × step [s]" if time_step else "spikes"
    elapsed = "time [s]" if time_step else "step"
    label_axes(ax, f"{counted}, and {elapsed}" if animate else counted, "output")
    if gridshader:
        ticks = [0.0, *(x for x in ax.get_xticks() if 0 < x < steps), float(steps)]
        for left, right in list(zip(ticks[:-1], ticks[1:], strict=True))[1::2]:
            ax.axvspan(left, right, color=SHADE, zorder=0)
    if not animate:
        ax.bar_label(bars, fmt="%g", padding=4, color=GREY)
        return bars
    grown = [numbers(data[:t].sum(0)) for t in range(steps + 1)]
    now = ax.axvline(0, color=ORANGE, linewidth=3, zorder=3)

    def draw(frame: int) -> list[Artist]:
        for bar, count in zip(bars, grown[frame // interpolate], strict=True):
            bar.set_width(count)
        now.set_xdata([frame / interpolate] * 2)
        return [*bars, now]

    frames = steps * interpolate + 1
    animation: FuncAnimation = matplotlib_module("animation").FuncAnimation(
        fig, draw, frames, interval=interval
    )
    return animation


def animator(
    data: Tensor,
    fig: Figure,
    ax: Axes,
    num_steps: int | bool = False,
    interval: int = 40,
    cmap: str = "plasma",
) -> FuncAnimation:
    """Animates images over time, with the same colours throughout.

    Args:
        data: ``[T, H, W]``, such as the spikes of a layer of one sample.
        fig: The figure.
        ax: Where to draw; its ticks and frame are removed.
        num_steps: Show so many steps; by default all.
        interval: Milliseconds per frame.
        cmap: The colour map.

    Returns:
        The animation, to be kept until it is shown or saved.

    Raises:
        ValueError: if ``data`` is not ``[T, H, W]``, is empty, or has fewer than ``num_steps``.
        ImportError: without matplotlib.

    Example:
        >>> import tempfile, pathlib
        >>> from matplotlib.figure import Figure
        >>> fig = Figure()
        >>> spikes = snn.spikegen.rate(torch.rand(8, 8), num_steps=5)
        >>> animation = snn.spikeplot.animator(spikes, fig, fig.subplots())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     animation.save(pathlib.Path(folder) / "spikes.gif", writer="pillow")
    """
    data = with_axes(data, "data", "T", "H", "W")
    if not data.numel():
        raise ValueError(f"data must not be empty, but has shape {tuple(data.shape)}")
    frames = numbers(data)
    image = ax.imshow(frames[0], cmap=cmap, vmin=frames.min(), vmax=frames.max())
    ax.axis("off")

    def draw(step: int) -> list[Artist]:
        image.set_data(frames[step])
        return [image]

    animation: FuncAnimation = matplotlib_module("animation").FuncAnimation(
        fig, draw, _steps(data, num_steps), interval=interval
    )
    return animation


def _steps(data: Tensor, num_steps: int | bool) -> int:
    """How many of the steps to show."""
    steps = int(num_steps) if num_steps else len(data)
    if not 0 <= steps <= len(data):
        raise ValueError(f"num_steps is {steps}, but data has {len(data)} steps")
    return steps
