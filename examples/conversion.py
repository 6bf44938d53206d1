"""A trained network of rectifiers, converted: what accuracy costs in steps, spikes and energy.

Neurons count: after ``T`` steps their rates are multiples of ``1/T``. Where membranes begin, how
large thresholds are, and a few epochs of training afterwards decide how soon that is enough.

    python examples/conversion.py            a minute; writes demo/conversion.png
    python examples/conversion.py --help     the options
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import bitspike as snn
from bitspike import convert, tasks
from drawing import BLUE, GREEN, GREY, LINE, ORANGE, VIOLET, figure, save, tidy
from training import options

STEPS, TUNED = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32), (1, 2, 3, 4)


class Cost(NamedTuple):
    """What a converted network takes for an image, and what it gets right."""

    steps: int
    spikes: float
    joules: float
    accuracy: float


def main() -> None:
    """Trains once, converts in four ways, and draws accuracy against what it costs."""
    arguments = options(__doc__)
    task = tasks.digits(seed=arguments.seed)
    ann = nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Dropout(0.3)),
        *(nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.3)),
        *(nn.Linear(256, 256), nn.ReLU(), nn.Dropout(0.3), nn.Linear(256, 10)),
    )
    train(ann, task.train, 1 if arguments.short else 30)
    seen, x = task.train.tensors[0][:1000], task.test.tensors[0]

    def converted(steps: int, **how: str) -> convert.RateNetwork:
        return convert.ann_to_snn(ann, [seen], num_steps=steps, **how)[0]

    def tuned(steps: int) -> convert.RateNetwork:
        net = converted(steps, normalise="max")
        convert.fine_tune(net, batches(task.train), epochs=1 if arguments.short else 5)
        return net

    curves: dict[str, tuple[str, Callable[[int], convert.RateNetwork], tuple[int, ...]]] = {
        "largest activation, from 0": (
            GREY,
            lambda steps: converted(steps, normalise="max", init="zero"),
            STEPS,
        ),
        "largest activation, from θ/2": (
            ORANGE,
            lambda steps: converted(steps, normalise="max"),
            STEPS,
        ),
        "the same, fine-tuned": (GREEN, tuned, TUNED),
        "smallest error, from θ/2": (BLUE, converted, STEPS),
    }
    costs = {
        name: (colour, [cost(make(steps), task.test, steps) for steps in chosen])
        for name, (colour, make, chosen) in curves.items()
    }
    with torch.no_grad():
        right = accuracy(ann.eval()(x), task.test.tensors[1])
    sequence = x.expand(1, *x.shape)
    joules = snn.energy(converted(1).net, sequence).ann_joules / len(x)
    save(draw(costs, right, joules), arguments.out / "conversion.png")
    for name, (_, points) in costs.items():
        print(f"{name}: {', '.join(f'{p.accuracy:.1%} in {p.steps}' for p in points)}")
    print(f"the network itself: {right:.1%}")


def batches(data: TensorDataset) -> list[tuple[Tensor, Tensor]]:
    """The data in random order, 64 at a time."""
    images, labels = data.tensors
    order = torch.randperm(len(images)).split(64)
    return [(images[batch], labels[batch]) for batch in order]


def train(ann: nn.Module, data: TensorDataset, epochs: int) -> None:
    """Trains with Adam, as one trains any network."""
    optimizer = torch.optim.AdamW(ann.parameters(), lr=1e-3)
    for _ in range(epochs):
        for images, labels in batches(data):
            optimizer.zero_grad()
            F.cross_entropy(ann(images), labels).backward()
            optimizer.step()


@torch.no_grad()
def cost(net: convert.RateNetwork, data: TensorDataset, steps: int) -> Cost:
    """What test images take."""
    x, labels = data.tensors
    energy = snn.energy(net.net, x.expand(steps, *x.shape))
    spikes = sum(row.spikes for row in energy.neurons) / len(x)
    return Cost(steps, spikes, energy.joules / len(x), accuracy(net(x, steps), labels))


def accuracy(outputs: Tensor, labels: Tensor) -> float:
    """The share of images that are read right."""
    return (outputs.argmax(1) == labels).float().mean().item()


def draw(costs: dict[str, tuple[str, list[Cost]]], right: float, joules: float) -> Figure:
    """Accuracy against steps, spikes and energy."""
    page = figure(10, 3.8)
    steps, spikes, energy = page.subplots(1, 3, sharey=True)
    for name, (colour, points) in costs.items():
        accuracies = [point.accuracy for point in points]
        style = {**LINE, "color": colour}
        steps.plot([point.steps for point in points], accuracies, label=name, **style)
        spikes.plot([point.spikes for point in points], accuracies, **style)
        energy.plot([1e9 * point.joules for point in points], accuracies, **style)
    logarithmic(steps, "steps", (1, 2, 4, 8, 16, 32))
    logarithmic(spikes, "spikes of an image", (30, 100, 300, 1000, 3000))
    logarithmic(energy, "nJ of an image", (100, 200, 400, 800, 1600))
    steps.set_ylabel("accuracy")
    for ax in (steps, spikes, energy):
        ax.axhline(right, color=VIOLET, linestyle=":", linewidth=1.5)
    energy.axvline(1e9 * joules, color=VIOLET, linestyle=":", linewidth=1.5)
    energy.text(0.97e9 * joules, 0.71, "the network itself", color=VIOLET, fontsize=8.5, ha="right")
    page.legend(frameon=False, fontsize=9, loc="outside lower center", ncols=len(costs))
    steps.set_ylim(0.7, 1.0)
    steps.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    page.suptitle(
        "A converted network reads digits as well as the one that it was made of",
        fontsize=10.5,
        fontweight="bold",
    )
    return page


def logarithmic(ax: Axes, label: str, ticks: tuple[int, ...]) -> None:
    """A logarithmic axis with plain numbers."""
    tidy(ax, xlabel=label)
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()


if __name__ == "__main__":
    main()
