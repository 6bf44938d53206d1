"""The picture of ``gestures.py``."""

from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from torch import Tensor

from camera import GESTURES, SIDE, Events
from drawing import BLUE, GREEN, GREY, LINE, ORANGE, VIOLET, figure, shares, tidy

COLOURS = (BLUE, "#7fb0e6", ORANGE, "#e8b04a", GREEN, VIOLET)
HEADING: dict[str, Any] = {"fontsize": 10.5, "fontweight": "bold"}


def draw(
    *,
    examples: list[Events],
    by_step: list[float],
    membranes: Tensor,
    latency: Tensor,
    order: list[int],
    each: int,
    window: int,
) -> Figure:
    """Gestures at the top, what the stream says in the middle, accuracy and latency below.

    Args:
        examples: One recording of each gesture.
        by_step: Accuracy in the test after each number of steps.
        membranes: Of the readout in the stream ``[T, gestures]``.
        latency: Seconds for each step.
        order: The gestures that were shown to the stream.
        each: Milliseconds of each.
        window: Microseconds of a step.
    """
    page = figure(13, 10)
    seen, said, known = page.subfigures(3, 1, height_ratios=(0.95, 1.35, 1))
    for index, part in enumerate(examples):
        cloud(seen, index, part)
    answer(said.subplots(2, 1, sharex=True, height_ratios=(1, 5)), membranes, order, each, window)
    left, right = known.subplots(1, 2, width_ratios=(1, 1.4))
    milliseconds = [window / 1e3 * (step + 1) for step in range(len(by_step))]
    left.plot(milliseconds, by_step, color=BLUE, **LINE)
    shares(left, high=1.02)
    tidy(left, "test: how soon a gesture is known", "accuracy", "ms seen")
    delays(right, latency, window)
    return page


def cloud(page: Figure, index: int, part: Events) -> None:
    """Events in x, y and t."""
    width = 1 / len(GESTURES)
    ax = page.add_axes((width * index, 0.05, width, 0.85), projection="3d")
    for on, colour in ((True, ORANGE), (False, BLUE)):
        chosen = part.p == on
        columns = (part.t[chosen] / 1e3, part.x[chosen], part.y[chosen])
        ax.scatter(*columns, s=1.1, color=colour, alpha=0.5, linewidths=0, depthshade=False)
    ax.set_box_aspect((1.8, 1, 1), zoom=1.08)
    ax.view_init(elev=28, azim=-62)
    ax.set_ylim(0, SIDE)
    ax.set_zlim(SIDE, 0)
    ax.set_yticks([])
    ax.set_zticks([])
    ax.set_xticks([0, 150, 300])
    ax.tick_params(labelsize=7, pad=-3)
    ax.set_xlabel("ms", fontsize=8, labelpad=-8)
    page.text(
        width * (index + 0.5), 0.94, GESTURES[index], ha="center", color=COLOURS[index], **HEADING
    )


def answer(axes: list[Axes], membranes: Tensor, order: list[int], each: int, window: int) -> None:
    """What was shown and what was said, as colours, and the readout."""
    bands, readout = axes
    steps = 1_000 * each // window
    shown = torch.tensor(order).repeat_interleave(steps)[: len(membranes)]
    said = membranes.argmax(1)[: len(shown)]
    end = len(shown) * window / 1e6
    bands.imshow(
        torch.stack([shown, said]),
        cmap=ListedColormap(COLOURS),
        vmin=-0.5,
        vmax=len(GESTURES) - 0.5,
        aspect="auto",
        interpolation="none",
        extent=(0, end, 1.5, -0.5),
    )
    bands.axhline(0.5, color="white", linewidth=2)
    bands.set_yticks([0, 1], ["shown", "said"])
    bands.tick_params(length=0)
    bands.spines[:].set_visible(False)
    bands.set_title(
        "live: gestures one after another", loc="left", fontsize=10.5, fontweight="bold"
    )
    seconds = (torch.arange(len(membranes)) + 1) * window / 1e6
    for label, name in enumerate(GESTURES):
        readout.plot(seconds, membranes[:, label], color=COLOURS[label], linewidth=1.8, label=name)
    for cut in range(1, len(order)):
        readout.axvline(cut * each / 1e3, color=GREY, linestyle=":", linewidth=1)
    readout.set_xlim(0, end)
    readout.legend(
        frameon=False, fontsize=8.5, ncols=6, loc="upper center", bbox_to_anchor=(0.5, 1.12)
    )
    tidy(readout, "", "membrane of the readout", "s")


def delays(ax: Axes, latency: Tensor, window: int) -> None:
    """Microseconds of each step, with the median and the 99th percentile."""
    microseconds = 1e6 * latency
    seconds = (torch.arange(len(latency)) + 1) * window / 1e6
    ax.plot(seconds, microseconds, ".", color=GREY, markersize=4)
    median, high = microseconds.quantile(torch.tensor([0.5, 0.99])).tolist()
    ax.axhline(window, color="black", linewidth=1, linestyle=":")
    ax.text(seconds[-1], window * 0.8, "a step lasts 10 ms", ha="right", va="top", fontsize=8.5)
    for value, colour, name in ((median, BLUE, "median"), (high, ORANGE, "99 %")):
        ax.axhline(value, color=colour, linewidth=1.6, label=f"{name}: {value:.0f} µs")
    ax.set_yscale("log")
    ax.set_xlim(0, float(seconds[-1]))
    ax.legend(frameon=False, fontsize=8.5, loc="center right")
    tidy(ax, "live: from the last packet of a step to the answer", "µs", "s")
