"""The figures of the MNIST example."""

from typing import Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, PercentFormatter
from torch import Tensor

from drawing import BLUE, GREY, LINE, ORANGE, figure, tidy


class History(Protocol):
    """What each epoch ended with."""

    loss: list[float]
    train_accuracy: list[float]
    test_accuracy: list[float]
    hidden_rate: list[float]
    output_rate: list[float]


def raster(digit: Tensor, trains: list[Tensor]) -> Figure:
    """The spikes [T, n] of input, hidden and output neurons that answer to one digit [28, 28]."""
    page = figure(11, 8)
    grid = page.add_gridspec(3, 2, width_ratios=(1, 3.4), height_ratios=(3, 3, 2))
    encoded, hidden, output = trains
    _image(page.add_subplot(grid[0, 0]), digit, "the digit")
    _image(page.add_subplot(grid[1, 0]), encoded.sum(0).view(28, 28), "its spikes, counted")
    _raster_row(page.add_subplot(grid[0, 1]), encoded, "input", GREY)
    _raster_row(page.add_subplot(grid[1, 1]), hidden, "hidden", BLUE)
    answer = page.add_subplot(grid[2, 1])
    _raster_row(answer, output, "output", ORANGE)
    answer.set_xlabel("step")

    counts = page.add_subplot(grid[2, 0], sharey=answer)
    counts.barh(range(output.shape[1]), output.sum(0), color=ORANGE, height=0.7)
    counts.set_yticks(range(output.shape[1]))
    counts.xaxis.set_major_locator(MaxNLocator(integer=True))
    tidy(counts, "output spikes, counted", ylabel="class")
    counts.set_xlabel("spikes")
    return page


def membranes(membrane: Tensor, spikes: Tensor, neurons: int = 4) -> Figure:
    """Membranes [T, n] of a few hidden neurons, from rarely to often firing, and their spikes.

    Neurons that fire at more than half of the steps run far above threshold and hide the others.
    """
    counts = spikes.sum(0)
    last = int((counts <= len(spikes) / 2).sum())
    active = counts.argsort()[int((counts == 0).sum()) : last]
    ranks = [round(i * (len(active) - 1) / (neurons - 1)) for i in range(neurons)]
    page = figure(11, 1.9 * neurons)
    axes = page.subplots(neurons, sharex=True, sharey=True)
    for ax, neuron in zip(axes, active[ranks].tolist(), strict=True):
        u, fired = membrane[:, neuron], spikes[:, neuron].nonzero().squeeze(1)
        ax.axhline(1.0, color=GREY, linestyle="--", linewidth=1.2, label="threshold")
        ax.plot(u, color=BLUE, linewidth=1.6, marker="o", markersize=2.5, label="membrane")
        ax.scatter(fired, u[fired], color=ORANGE, s=40, zorder=3, label="spike")
        number = len(fired)
        tidy(
            ax,
            f"hidden neuron {neuron}: {number} spike{'s' if number > 1 else ''}",
            ylabel="membrane",
        )
    axes[-1].set_xlabel("step")
    axes[0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    return page


def learning_curve(history: History) -> Figure:
    """Accuracy, loss and firing rates over the epochs."""
    epochs = range(1, len(history.loss) + 1)
    page = figure(12, 3.8)
    accuracy, loss, rates = page.subplots(1, 3)
    accuracy.plot(epochs, history.train_accuracy, color=GREY, label="training", **LINE)
    accuracy.plot(epochs, history.test_accuracy, color=BLUE, label="test", **LINE)
    tidy(accuracy, f"accuracy: {history.test_accuracy[-1]:.1%} in the test")
    loss.plot(epochs, history.loss, color=BLUE, **LINE)
    loss.set_yscale("log")
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    loss.yaxis.set_major_formatter("{x:g}")
    loss.yaxis.set_minor_formatter(NullFormatter())
    tidy(loss, "training loss")
    rates.plot(epochs, history.hidden_rate, color=BLUE, label="hidden", **LINE)
    rates.plot(epochs, history.output_rate, color=ORANGE, label="output", **LINE)
    rates.set_ylim(bottom=0)
    tidy(rates, "firing rate in the test")
    for ax in (accuracy, rates):
        ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        ax.legend(frameon=False, loc="lower right")
    for ax in (accuracy, loss, rates):
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.grid(axis="y", alpha=0.25)
    return page


def _image(ax: Axes, pixels: Tensor, title: str) -> None:
    ax.imshow(pixels, cmap="gray_r")
    ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
    ax.set_xticks([])
    ax.set_yticks([])


def _raster_row(ax: Axes, spikes: Tensor, name: str, color: str) -> None:
    """Draws each spike of [T, n] as a dash one step wide."""
    duration, neurons = spikes.shape
    step, neuron = spikes.nonzero(as_tuple=True)
    # As thick as the row of a neuron if these are few, and still visible if they are many.
    ax.hlines(neuron, step - 0.4, step + 0.4, color=color, linewidth=max(0.7, 40 / neurons))
    ax.set_xlim(-0.6, duration - 0.4)
    ax.set_ylim(-0.6, neurons - 0.4)
    share = f"{len(step) / spikes.numel():.1%}"
    tidy(ax, f"{name}: {len(step):,} spikes of {neurons} neurons ({share})", ylabel="neuron")
