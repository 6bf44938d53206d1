"""How all figures of the examples look; no function touches matplotlib's global style."""

import io
from collections.abc import Sequence
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from PIL import Image

BLUE, ORANGE, GREY, GREEN, VIOLET = "#2f6db3", "#d9702b", "#7b818a", "#3f8f5b", "#7d5ba6"
COLOURS = (BLUE, ORANGE, GREEN, VIOLET, GREY)
LINE = {"marker": "o", "markersize": 4, "linewidth": 1.8}


def figure(width: float, height: float, dpi: int = 110) -> Figure:
    """An empty figure of that many inches."""
    return Figure(figsize=(width, height), dpi=dpi, layout="constrained")


def tidy(ax: Axes, title: str = "", ylabel: str = "", xlabel: str = "") -> None:
    """Labels the axes and removes the lines that carry no information."""
    ax.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    if xlabel:
        ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)


def band(
    ax: Axes, x: Sequence[float], curves: Sequence[Sequence[float]], colour: str, label: str
) -> None:
    """The mean of curves, one for each seed, and their range."""
    y = torch.tensor(curves)
    ax.fill_between(x, y.amin(0), y.amax(0), color=colour, alpha=0.2, linewidth=0)
    ax.plot(x, y.mean(0), color=colour, label=label, **LINE)


def shares(ax: Axes, low: float = 0.0, high: float = 1.0) -> None:
    """A vertical axis of accuracies, in percent."""
    ax.set_ylim(low, high)
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    ax.grid(axis="y", alpha=0.25)


def save(drawn: Figure, path: Path) -> None:
    """Writes a picture; few colours make a small file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = io.BytesIO()
    drawn.savefig(pixels)
    Image.open(pixels).convert("RGB").quantize(64).save(path, optimize=True)
    print(path)
