"""Who was first? Delays that make spikes meet which were apart.

Six inputs fire once each, five steps apart, in one of four orders, which begins at any time; some
spikes are noise. The membranes of the hidden neurons keep half of themselves per step, so that
little is left of a spike when the next one comes. ``nn.Linear`` sees who fires, which is the same
in all classes. ``DelayLinear`` learns how long each synapse waits, so that the spikes of one order
arrive together. Delays are learned with gaussian kernels that get narrower. Then they are rounded,
and only weights go on learning.

    python examples/delays.py --out docs/images     about a minute
    python examples/delays.py --short               a few seconds, to try it
"""

import itertools
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import bitspike as snn
from bitspike import spikeplot, utils
from bitspike.surrogate import schedule
from drawing import COLOURS, GREEN, GREY, band, figure, save, shares, tidy
from training import History, fit, options

INPUTS, CLASSES, STEPS, APART = 6, 4, 50, 5
LONGEST = APART * (INPUTS - 1)
HIDDEN, NOISE, BATCH = 32, 0.01, 50
SEEDS = 3
NETWORKS = {"Linear": GREY, "DelayLinear": GREEN}


class Task(NamedTuple):
    """Sequences to tell apart."""

    lags: Tensor
    """When each input fires after the beginning, ``[CLASSES, INPUTS]``."""
    train: TensorDataset
    test: TensorDataset


def main() -> None:
    """Trains both networks from a few seeds, and shows what the delays have become."""
    arguments = options(__doc__)
    task = orders(200 if arguments.short else 1000)
    seeds = range(arguments.seed, arguments.seed + (1 if arguments.short else SEEDS))
    epochs = 1 if arguments.short else 21
    histories: dict[str, list[History]] = {kind: [] for kind in NETWORKS}
    for kind, of_seeds in histories.items():
        for seed in seeds:
            torch.manual_seed(seed)
            net = network(kind, epochs * -(-len(task.train) // BATCH))
            history = learn(net, task, epochs, f"{kind}, seed {seed}")
            if kind == "DelayLinear":
                net[0].round_()
            after = learn(net, task, -(-epochs // 3), f"{kind}, seed {seed}, fixed delays")
            of_seeds.append(History(history.loss + after.loss, history.accuracy + after.accuracy))
    save(draw(task, histories, net), arguments.out / "delays.png")  # the last one has delays
    report(histories)


def learn(net: nn.Sequential, task: Task, epochs: int, name: str) -> History:
    """Trains; delays learn faster than weights, while they do."""
    return fit(
        net,
        task.train,
        task.test,
        encode=encode,
        loss=F.cross_entropy,
        decide=lambda answer: answer.argmax(1),
        epochs=epochs,
        name=name,
        batch=BATCH,
        learning_rate=1e-2,
        faster=[x for name, x in net.named_parameters() if name == "0.delay" and x.requires_grad],
    )


def orders(samples: int) -> Task:
    """Four orders of the same spikes, among noise."""
    lags = torch.stack([torch.randperm(INPUTS) * APART for _ in range(CLASSES)])
    sets = []
    for count in (samples, samples // 2):
        labels = torch.randint(CLASSES, (count,))
        begins = torch.randint(0, STEPS - LONGEST, (count, 1))
        times = (begins + lags[labels]).unsqueeze(1)
        noise = (torch.rand(count, STEPS, INPUTS) < NOISE).float()
        sets.append(TensorDataset(noise.scatter(1, times, 1.0), labels))
    return Task(lags, *sets)


def network(kind: str, updates: int) -> nn.Sequential:
    """One hidden layer of short memory, and an answer that counts its spikes."""
    if kind == "Linear":
        synapses: nn.Module = nn.Linear(INPUTS, HIDDEN)
    else:
        synapses = snn.DelayLinear(INPUTS, HIDDEN, LONGEST, multi_step=True)
        # From the width of half the range to that of a step.
        sigma, made = schedule.Exponential(LONGEST / 2, 0.23, updates), itertools.count()

        def narrow(layer: nn.Module, _: object) -> None:
            if torch.is_grad_enabled():
                layer.sigma = sigma(next(made))

        synapses.register_forward_pre_hook(narrow)
    neurons = snn.Leaky(beta=0.5, init_hidden=True, multi_step=True)
    return nn.Sequential(synapses, neurons, Counts(), nn.Linear(HIDDEN, CLASSES))


class Counts(nn.Module):
    """How often each neuron has fired."""

    def forward(self, spikes: Tensor) -> Tensor:
        """Sums over time."""
        return spikes.sum(0)


def encode(sequences: Tensor) -> Tensor:
    """Packed, time first."""
    return snn.SpikeTensor.from_dense(sequences.transpose(0, 1))


def draw(task: Task, histories: dict[str, list[History]], net: nn.Sequential) -> Figure:
    """Accuracy and delays at the left; each order as it fires, and as one neuron hears it."""
    page = figure(13, 6.5)
    left, right = page.subfigures(1, 2, width_ratios=(1, 1.7))
    learned, delays = left.subplots(2, 1)
    for kind, of_seeds in histories.items():
        curves = [history.accuracy for history in of_seeds]
        band(learned, range(1, len(curves[0]) + 1), curves, NETWORKS[kind], kind)
    learned.axhline(1 / CLASSES, color=GREY, linestyle=":", linewidth=1.2, label="guessing")
    fixed = len(curves[0]) * 3 // 4
    learned.axvspan(fixed + 0.5, len(curves[0]) + 0.5, color=GREY, alpha=0.12)
    learned.text(len(curves[0]) + 0.4, 0.56, "delays\nrounded", ha="right", color=GREY)
    tidy(learned, "accuracy in the test", xlabel="epoch")
    shares(learned, 0.15, 1.02)
    learned.legend(frameon=False, loc="center")
    winners = experts(task, net)
    meeting(delays, task, net, winners)
    heard(right.subplots(CLASSES, 2, sharex=True), task, net, winners)
    return page


@torch.no_grad()
def experts(task: Task, net: nn.Sequential) -> list[int]:
    """For each class the hidden neuron that fires more for it than for any other, by most."""
    sequences, labels = task.test.tensors
    utils.reset(net)
    counts = net[:3](encode(sequences))
    means = torch.stack([counts[labels == label].mean(0) for label in range(CLASSES)])
    highest = means.topk(2, 0).values
    others = torch.where(means == highest[0], highest[1], highest[0])
    return (means - others).argmax(1).tolist()


def excites(net: nn.Sequential, neuron: int) -> Tensor:
    """Which inputs excite a hidden neuron, at least half as much as the strongest."""
    weight = net[0].weight[neuron, :, 0].detach()
    return weight > 0.5 * weight.max()


def meeting(ax: Axes, task: Task, net: nn.Sequential, winners: list[int]) -> None:
    """Delays of a class's neuron against the lags of the class."""
    for label, neuron in enumerate(winners):
        strong, delay = excites(net, neuron), net[0].delay[neuron, :, 0]
        lags = task.lags[label][strong]
        ax.scatter(lags, delay[strong], color=COLOURS[label], s=30, zorder=3)
        sum_ = (lags + delay[strong]).median()
        ax.plot([0, sum_], [sum_, 0], color=COLOURS[label], linewidth=1, alpha=0.6)
    tidy(ax, "late spikes wait less: lag + delay is the same", "delay", "lag of the input")
    ax.set_xlim(-1, LONGEST + 1)
    ax.set_ylim(-1, LONGEST + 1)


@torch.no_grad()
def heard(axes: Axes, task: Task, net: nn.Sequential, winners: list[int]) -> None:
    """Each order without noise, and the spikes that excite one neuron, behind its delays."""
    dash = {"marker": "|", "s": 60, "linewidths": 1.8}
    for label, (neuron, (fired, arrived)) in enumerate(zip(winners, axes, strict=True)):
        order = torch.zeros(STEPS + LONGEST, INPUTS).scatter(0, task.lags[label : label + 1] + 2, 1)
        waits = snn.SynapticDelay(LONGEST, net[0].delay[neuron, :, 0], INPUTS, step_mode=False)
        late = waits(order.unsqueeze(1))[:, 0] * excites(net, neuron)
        spikeplot.raster(order, fired, color=COLOURS[label], **dash)
        spikeplot.raster(late, arrived, color=COLOURS[label], **dash)
        tidy(fired, f"class {label}" + ", as it fires" * (label == 0), "input")
        tidy(arrived, "what excites its neuron, on arrival" * (label == 0))
        for ax in (fired, arrived):
            ax.set_xlim(-1, STEPS + 5)
            ax.set_ylim(-0.7, INPUTS - 0.3)
            ax.set_xlabel("step" if label == CLASSES - 1 else "")


def report(histories: dict[str, list[History]]) -> None:
    """Prints a row for each network."""
    for kind, of_seeds in histories.items():
        last = [history.accuracy[-1] for history in of_seeds]
        print(f"{kind:12} {sum(last) / len(last):.1%}, from {min(last):.1%} to {max(last):.1%}")


if __name__ == "__main__":
    main()
