"""Draw the picture of README.md: a digit on its way through a network, and what a step costs.

On the left are the spikes of one MNIST digit, of the hidden neurons that they drive and of the
output neurons, after some seconds of training; on the right, times that `benches/record` holds.

    python examples/overview.py --out docs/images     half a minute
    python examples/overview.py --short               a few seconds, to try it
"""

import csv
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

from bitspike import decode, spikegen, tasks, utils
from bitspike import functional as SF
from codes import Observed
from drawing import BLUE, GREY, ORANGE, figure, save, tidy
from training import fit, options

STEPS = 50
DIGIT = 3
RECORD = Path(__file__).parents[1] / "benches" / "record" / "layers-avx512.csv"
LAYER = "T=500 B=16 512→512"
DENSITY = 0.03
PANELS = {
    "Linear + LIF, input without gradient": "training a first layer",
    "Linear + LIF, input with gradient": "training a hidden layer",
}
LIBRARIES = {
    "bitspike": "bitspike",
    "dense products": "products alone,\nno neuron",
    "jax": "jax",
    "SpikingJelly": "SpikingJelly",
    "snnTorch": "snnTorch",
}


def main() -> None:
    """Trains a network, shows it a digit that it has not seen, and draws."""
    arguments = options(__doc__)
    task = tasks.mnist_5k(limit=400 if arguments.short else None)
    net, loss = Observed(), SF.mse_count_loss(correct_rate=0.5, incorrect_rate=0.02)
    fit(
        net,
        task.train,
        task.test,
        encode=encode,
        loss=lambda spikes, labels: loss(spikes[1], labels),
        decide=lambda spikes: decode.rate(spikes[1]),
        epochs=1 if arguments.short else 8,
        name="MNIST",
    )
    images, labels = task.test.tensors
    image = images[labels == DIGIT][0]
    save(draw(image, answer(net, image)), arguments.out / "overview.png")


def encode(images: Tensor) -> Tensor:
    """Packed spikes ``[STEPS, B, 784]``: the brightest pixels fire at a quarter of the steps."""
    return spikegen.rate(images.flatten(1), num_steps=STEPS, gain=0.25, packed=True)


@torch.no_grad()
def answer(net: Observed, image: Tensor) -> list[Tensor]:
    """The spikes ``[STEPS, n]`` of the input, hidden and output neurons."""
    utils.reset(net)
    encoded = encode(image[None])
    return [spikes.dense()[:, 0] for spikes in (encoded, *net(encoded))]


def draw(image: Tensor, trains: list[Tensor]) -> Figure:
    """Spikes on the left, times on the right."""
    page = figure(9.8, 4.3, dpi=160)
    left, right = page.subfigures(1, 2, width_ratios=(1.25, 1), wspace=0.03)
    draw_spikes(left, image, trains)
    panels = right.subplots(2, 1, sharex=True)
    for ax, (task, title) in zip(panels, PANELS.items(), strict=True):
        draw_times(ax, task)
        tidy(ax, title)
    panels[1].set_xlabel("ms per step: 512→512, T=500, B=16")
    return page


def draw_spikes(page: SubFigure, image: Tensor, trains: list[Tensor]) -> None:
    """The image, the spikes of each layer, and the answer."""
    grid = page.add_gridspec(3, 2, width_ratios=(1, 4.2), height_ratios=(2.2, 2, 1.5))
    shown = page.add_subplot(grid[0, 0])
    shown.imshow(image.view(28, 28), cmap="gray_r")
    shown.set_axis_off()
    said = page.add_subplot(grid[2, 0])
    said.text(
        0.5, 0.5, f"“{int(trains[2].sum(0).argmax())}”", fontsize=26, ha="center", va="center"
    )
    said.set_axis_off()
    names, colours = ("pixels", "hidden neurons", "output neurons"), (GREY, BLUE, ORANGE)
    for row, (spikes, name, colour) in enumerate(zip(trains, names, colours, strict=True)):
        ax = page.add_subplot(grid[row, 1])
        neurons = spikes.shape[1]
        step, neuron = spikes.nonzero(as_tuple=True)
        ax.scatter(step, neuron, marker="|", s=max(4, 500 / neurons), color=colour, linewidths=1.2)
        ax.set_xlim(-1, STEPS)
        ax.set_ylim(1.03 * neurons, -0.03 * neurons - 1)
        ax.set_yticks([])
        if row < 2:
            ax.set_xticklabels([])
        tidy(ax, f"{neurons} {name}: {len(step):,} spikes", xlabel="step" if row == 2 else "")


def draw_times(ax: Axes, task: str) -> None:
    """A bar for each library: the median of the rounds in the record."""
    milliseconds = {}
    with RECORD.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if (line["subject"], line["task"]) == (LAYER, task):
                if round(float(line["density_in"]), 2) == DENSITY:
                    milliseconds[line["library"]] = 1e3 * float(line["median"])
    values = [milliseconds[library] for library in LIBRARIES]
    colours = [ORANGE if library == "bitspike" else GREY for library in LIBRARIES]
    bars = ax.barh(list(LIBRARIES.values()), values, color=colours, height=0.66)
    labels = [f"{value:.2g}" if value < 10 else f"{value:.0f}" for value in values]
    ax.bar_label(bars, labels, padding=4)
    ax.invert_yaxis()
    ax.margins(x=0.1)


if __name__ == "__main__":
    main()
