"""How few bits does a weight need? One network at 32, 8, 4, 2, 1.58 and 1 bit.

A network of two hidden layers learns 8×8 digits with weights of 32 bits. All weights are then
rounded to fewer, first without any training, then with weights that are rounded in every step of
it. What does each find, how large is it, and what does it compute?

    python examples/bits.py --out docs/images     about two minutes
    python examples/bits.py --short               a few seconds, to try it
"""

from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import bitspike as snn
from bitspike import quantize, spikegen, tasks
from drawing import BLUE, GREEN, GREY, ORANGE, band, figure, save, shares, tidy
from training import accuracy, fit, options

STEPS = 20
HIDDEN = 128
WORD = 64  # synapses that counting bits meets at once

FORMATS = {
    "32": None,
    "8": quantize.Integer(8),
    "4": quantize.Integer(4),
    "2": quantize.Integer(2),
    "1.58": quantize.Ternary(),
    "1": quantize.Binary(),
}


class Result(NamedTuple):
    """What came of a format."""

    rounded: float
    """Accuracy without further training."""
    trained: float
    """Accuracy after training with rounded weights."""
    size: int
    """Bytes of weights, scales and biases."""
    operations: float
    """Additions, or words of bits met, for a digit."""


def encode(images: Tensor) -> Tensor:
    """Packed spikes ``[STEPS, B, 64]``, at random steps."""
    return spikegen.rate(images.flatten(1), num_steps=STEPS, packed=True)


def logits(output: Tensor) -> Tensor:
    """The scores ``[B, 10]`` of what the readout returns."""
    return 4 * output.mean(0)


def decide(output: Tensor) -> Tensor:
    """The class of the largest score."""
    return logits(output).argmax(1)


def network(images: Tensor) -> nn.Sequential:
    """64-128-128-10, whose hidden layers fire in a fifth of the steps, and a readout."""
    neuron = {"beta": 0.9, "init_hidden": True, "multi_step": True}
    net = nn.Sequential(
        nn.Linear(64, HIDDEN),
        snn.Leaky(**neuron),
        nn.Linear(HIDDEN, HIDDEN),
        snn.Leaky(**neuron),
        nn.Linear(HIDDEN, 10),
        snn.LI(**neuron),
    )
    snn.init.threshold_aware_(net, encode(images), rate=0.2)
    return net


def learn(net: nn.Module, task: tasks.Task, epochs: int, name: str) -> float:
    """Trains it, and returns its accuracy."""

    def loss(output: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits(output), labels)

    fit(
        net,
        task.train,
        task.test,
        encode=encode,
        loss=loss,
        decide=decide,
        epochs=epochs,
        name=name,
    )
    return test(net, task.test)


def test(net: nn.Module, data: TensorDataset) -> float:
    """The accuracy over several codings of each digit."""
    found = [accuracy(net, data, encode=encode, decide=decide) for _ in range(5)]
    return sum(found) / len(found)


def size(net: nn.Module, form: quantize.Format | None) -> int:
    """Bytes of weights, whose ternary ones take two bits, of scales and biases."""
    bits = 32 if form is None else 2 if form == quantize.Ternary() else int(form.bits)
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    numbers = 4 * (1 if form is None else 2)  # a bias, and a scale
    return sum(x.weight.numel() * bits // 8 + numbers * x.out_features for x in layers)


def counts_bits(form: quantize.Format | None) -> bool:
    """Whether products with spikes count bits: weights are -1, 0 and 1, times a scale."""
    return isinstance(form, quantize.Scaled) and form.is_bits


def operations(net: nn.Module, form: quantize.Format | None, images: Tensor) -> float:
    """Weights that are added for a digit, or words that are met where bits are counted."""
    snn.utils.reset(net)
    spent = snn.energy(net, encode(images))
    if not counts_bits(form):
        return spent.synops / len(images)
    planes = 1 if isinstance(form, quantize.Binary) else 2
    layers = [layer for layer in net if isinstance(layer, nn.Linear)]
    words = [-(-layer.in_features // WORD) * layer.out_features for layer in layers]
    return float(STEPS * planes * sum(words))


def main() -> None:
    """Trains a network with floats, and from there one with each format."""
    arguments = options(__doc__)
    seeds = range(arguments.seed, arguments.seed + (1 if arguments.short else 3))
    results: dict[str, list[Result]] = {name: [] for name in FORMATS}
    for seed in seeds:
        torch.manual_seed(seed)
        task = tasks.digits(seed=seed)
        epochs = 1 if arguments.short else 20
        floats = network(task.train[:200][0])
        learn(floats, task, epochs, "32 bits")
        images = task.test[:100][0]
        for name, form in FORMATS.items():
            net: nn.Module = floats
            if form is not None:
                net = quantize.post_training(floats, form, search="mse", first=form, last=form)
            rounded = test(net, task.test)
            trained = learn(net, task, epochs, f"{name} bits") if form is not None else rounded
            spent = operations(net, form, images)
            results[name].append(Result(rounded, trained, size(net, form), spent))
    print(f"{'bits':>5}{'rounded':>10}{'trained':>10}{'bytes':>9}{'operations':>12}")
    for name, found in results.items():
        rounded, trained, bytes_, spent = (sum(x) / len(found) for x in zip(*found, strict=True))
        print(f"{name:>5}{rounded:>10.1%}{trained:>10.1%}{bytes_:>9,.0f}{spent:>12,.0f}")
    draw(results, arguments.out)


def draw(results: dict[str, list[Result]], out: Path) -> None:
    """Accuracies, sizes and operations."""
    drawn = figure(11.0, 3.3)
    axes = drawn.subplots(1, 3)
    places = list(range(len(results)))
    for attribute, colour, label in (
        ("trained", BLUE, "trained with rounded weights"),
        ("rounded", ORANGE, "rounded after training"),
    ):
        seeds = zip(*results.values(), strict=True)
        curves = [[getattr(result, attribute) for result in seed] for seed in seeds]
        band(axes[0], places, curves, colour, label)
    tidy(axes[0], "digits found", "", "bits of a weight")
    shares(axes[0])
    axes[0].legend(frameon=False, loc="lower left")
    mean = {
        name: [sum(x) / len(found) for x in zip(*found, strict=True)]
        for name, found in results.items()
    }
    bars(axes[1], {i: mean[name][2] / 1024 for i, name in enumerate(results)}, GREY)
    tidy(axes[1], "size (KiB)", "", "bits of a weight")
    for counted, colour, label in ((False, BLUE, "weights added"), (True, GREEN, "words met")):
        kind = {i: name for i, name in enumerate(results) if counts_bits(FORMATS[name]) == counted}
        bars(axes[2], {i: mean[name][3] / 1000 for i, name in kind.items()}, colour, label)
    tidy(axes[2], "operations for a digit (thousands)", "", "bits of a weight")
    axes[2].legend(frameon=False, loc="upper right")
    for ax in axes:
        ax.set_xticks(places, list(results))
    save(drawn, out / "bits.png")


def bars(ax: Axes, heights: dict[int, float], colour: str, label: str = "") -> None:
    """One bar for each place, with its height on top."""
    drawn = ax.bar(list(heights), list(heights.values()), color=colour, width=0.65, label=label)
    ax.bar_label(drawn, fmt="{:.0f}", fontsize=9)


if __name__ == "__main__":
    main()
