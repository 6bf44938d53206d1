"""How all figures of the examples look; no function touches matplotlib's global style."""

import io
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

BLUE, ORANGE, GREY, GREEN, VIOLET = "#2f6db3", "#d9702b", "#7b818a", "#3f8f5b", "#7d5ba6"
COLOURS = (BLUE, ORANGE, GREEN, VIOLET, GREY)
LINE = {"marker": "o", "markersize": 4, "linewidth": 1.8}


def figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches."""
    return Figure(figsize=(width, height), dpi=110, layout="constrained")


def tidy(ax: Axes, title: str = "", ylabel: str = "", xlabel: str = "") -> None:
    """Labels the axes and removes the lines that carry no information."""
    ax.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    if xlabel:
        ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)


def save(drawn: Figure, path: Path) -> None:
    """Writes a picture; few colours make a small file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = io.BytesIO()
    drawn.savefig(pixels)
    Image.open(pixels).convert("RGB").quantize(64).save(path, optimize=True)
    print(path)
