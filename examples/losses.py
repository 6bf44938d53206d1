"""What a loss asks of the output neurons: one network, trained with each of them.

Losses of spike counts, of membrane potentials and of spike times teach the same network to tell
digits apart. They differ in what the output neurons do in the end: cross-entropy silences the
wrong ones, a mean squared error gives each a rate, and a loss of spike times makes the right one
the first.

    python examples/losses.py            half a minute; writes demo/losses.png
    python examples/losses.py --help     the options
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import bitspike as snn
from bitspike import decode, spikegen, tasks, utils
from bitspike import functional as SF
from codes import STEPS, rate
from drawing import BLUE, GREEN, ORANGE, figure, save, tidy
from training import History, fit, options

SPIKES, MEMBRANE = 0, 1  # what the last neuron returns


def highest(membrane: Tensor) -> Tensor:
    """The class whose membrane rises highest."""
    return membrane.max(0).values.argmax(1)


@dataclass(frozen=True)
class Objective:
    """A loss, what it reads, and how a class is read off the same."""

    loss: SF.LossFunctions
    reads: int
    decide: Callable[[Tensor], Tensor]


OBJECTIVES = {
    "ce_rate_loss": Objective(SF.ce_rate_loss(), SPIKES, decode.rate),
    "ce_count_loss": Objective(SF.ce_count_loss(), SPIKES, decode.rate),
    "mse_rate_loss": Objective(SF.mse_rate_loss(0.8, 0.1), SPIKES, decode.rate),
    "ce_max_membrane_loss": Objective(SF.ce_max_membrane_loss(), MEMBRANE, highest),
    "mse_membrane_loss": Objective(SF.mse_membrane_loss(), MEMBRANE, highest),
    "ce_temporal_loss": Objective(SF.ce_temporal_loss(), SPIKES, decode.latency),
    "mse_temporal_loss": Objective(SF.mse_temporal_loss(), SPIKES, decode.latency),
}


def main() -> None:
    """Trains once with each loss, and draws what the outputs do then."""
    arguments = options(__doc__)
    task = tasks.mnist_5k(limit=300 if arguments.short else None, seed=arguments.seed)
    epochs = 1 if arguments.short else 8
    results: dict[str, tuple[History, Tensor, Tensor]] = {}
    for name, objective in OBJECTIVES.items():
        torch.manual_seed(arguments.seed)  # All start from the same weights.
        net = network()
        history = learn(net, objective, task, name, epochs)
        results[name] = (history, *firing(net, task.test))
    save(draw(results), arguments.out / "losses.png")
    print(f"{'':22}{'accuracy':>9}{'spikes of the correct output':>30}{'of each other':>15}")
    for name, (history, right, wrong) in results.items():
        print(f"{name:22}{history.accuracy[-1]:>9.1%}{right.sum():>30.1f}{wrong.sum():>15.2f}")


def network() -> nn.Sequential:
    """784-256-10, which returns the spikes and membranes of its outputs."""
    return nn.Sequential(
        nn.Linear(784, 256),
        snn.Leaky(beta=0.9, init_hidden=True, multi_step=True),
        nn.Linear(256, 10),
        snn.Leaky(beta=0.9, init_hidden=True, output=True, multi_step=True),
    )


def learn(
    net: nn.Sequential, objective: Objective, task: tasks.Task, name: str, epochs: int
) -> History:
    """Trains with one loss."""
    return fit(
        net,
        task.train,
        task.test,
        encode=rate,
        loss=lambda output, labels: objective.loss(output[objective.reads], labels),
        decide=lambda output: objective.decide(output[objective.reads]),
        epochs=epochs,
        name=f"{name:20}",
    )


@torch.no_grad()
def firing(net: nn.Sequential, test: TensorDataset) -> tuple[Tensor, Tensor]:
    """How often the correct output fires at each step, and an average other one, both ``[T]``."""
    images, labels = test.tensors
    utils.reset(net)
    spikes = net(rate(images))[SPIKES].dense()
    correct = spikegen.to_one_hot(labels, 10)
    right = (spikes * correct).sum((1, 2)) / correct.sum()
    wrong = (spikes * (1 - correct)).sum((1, 2)) / (1 - correct).sum()
    return right, wrong


def draw(results: dict[str, tuple[History, Tensor, Tensor]]) -> Figure:
    """A panel per loss: how often the correct and the other outputs fire at each step."""
    page = figure(13, 5.6)
    axes = page.subplots(2, 4, sharey=True)
    for ax, (name, (history, right, wrong)) in zip(axes.flat, results.items(), strict=False):
        ax.bar(range(STEPS), right, width=1, color=BLUE, label="correct output")
        ax.bar(range(STEPS), wrong, width=1, color=ORANGE, label="an average other")
        tidy(ax, f"{name}\n{history.accuracy[-1]:.1%}", "", "step")
    for row in axes:
        row[0].set_ylabel("probability of a spike")
    page.legend(*axes.flat[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    axes[-1, -1].remove()
    curves(page.add_subplot(2, 4, 8), {name: history for name, (history, *_) in results.items()})
    return page


def curves(ax: Axes, histories: dict[str, History]) -> None:
    """Accuracy over the epochs, in a colour for what the loss reads."""
    for name, history in histories.items():
        reads_times = "temporal" in name
        kind = "times" if reads_times else "membranes" if "membrane" in name else "counts"
        colour = {"counts": BLUE, "membranes": ORANGE, "times": GREEN}[kind]
        ax.plot(range(1, len(history.accuracy) + 1), history.accuracy, color=colour, label=kind)
    unique = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
    ax.legend(unique.values(), unique.keys(), frameon=False, loc="lower right")
    ax.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    tidy(ax, "test accuracy, by\nwhat the loss reads", "", "epoch")


if __name__ == "__main__":
    main()
