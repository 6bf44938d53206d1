"""Which weight is to blame: ten ways to tell the hidden layers of a network, compared.

Backpropagation through time carries the error of the output back through all weights and steps. The
other rules do with less: random matrices in place of the weights, errors or targets sent to all
layers at once, losses of each layer, a second forward pass, or noise and the loss alone. The same
network learns the same digits with each. What do they find, how far from backpropagation do their
updates point, and what do they cost?

    python examples/credit_assignment.py            two minutes; a picture in demo/
    python examples/credit_assignment.py --help     the options
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

import bitspike as snn
from bitspike import spikegen, tasks, utils
from bitspike.learning import local
from drawing import BLUE, GREY, ORANGE, figure, save, tidy
from training import options

STEPS = 20
HIDDEN = 100
CLASSES = 10
BATCH = 96
LOSS_SCALE = 4.0  # Membranes are small numbers: as logits they would tell classes apart too little.

Learn = Callable[[Tensor, Tensor], None]
"""Puts gradients, or what a rule has in their place, beside the weights: images and labels."""


class Rule(NamedTuple):
    """How a network learns, and with which step size of Adam."""

    make: Callable[[nn.Sequential], Learn]
    learning_rate: float


@dataclass
class Result:
    """What came of a rule."""

    learn: Learn
    accuracy: float = 0.0
    angles: list[float] = field(default_factory=list)
    seconds: float = float("inf")
    """Of an update, without the step of the optimiser: the shortest one."""


def encode(images: Tensor) -> Tensor:
    """Packed spikes ``[STEPS, B, 64]``, at random steps."""
    return spikegen.rate(images.flatten(1), num_steps=STEPS, packed=True)


def network() -> nn.Sequential:
    """64-100-100-10, with hidden layers that fire in a fifth of the steps, and a readout."""
    neuron = {"beta": 0.9, "init_hidden": True, "multi_step": True}
    net = nn.Sequential(
        nn.Linear(64, HIDDEN),
        snn.Leaky(**neuron),
        nn.Linear(HIDDEN, HIDDEN),
        snn.Leaky(**neuron),
        nn.Linear(HIDDEN, CLASSES),
        snn.LI(**neuron),
    )
    images, _ = tasks.digits().train[:200]
    snn.init.threshold_aware_(net, encode(images), rate=0.2)
    return net


def logits(net: nn.Module, spikes: Tensor) -> Tensor:
    """The scores ``[B, 10]`` of a sequence from rest."""
    utils.reset(net)
    return LOSS_SCALE * net(spikes).mean(0)


def sample() -> Tensor:
    """What shows a rule the layers of the network."""
    return encode(torch.rand(2, 64))


def bptt(net: nn.Sequential) -> Learn:
    """Backpropagation through time."""

    def learn(images: Tensor, labels: Tensor) -> None:
        F.cross_entropy(logits(net, encode(images)), labels).backward()

    return learn


def feedback(rule: str, net: nn.Sequential) -> Learn:
    """Errors, or targets, by way of random matrices."""
    model = local.feedback(net, rule, sample())

    def learn(images: Tensor, labels: Tensor) -> None:
        utils.reset(net)
        target = {"target": labels} if rule == "drtp" else {}
        scores = LOSS_SCALE * model(encode(images), **target).mean(0)
        F.cross_entropy(scores, labels).backward()

    return learn


def layerwise(net: nn.Sequential) -> Learn:
    """A loss of each layer, through random readouts that do not learn."""
    model = local.Layerwise(net, sample(), CLASSES, readout="fixed")

    def learn(images: Tensor, labels: Tensor) -> None:
        utils.reset(net)
        scores = model(encode(images))
        losses = [F.cross_entropy(LOSS_SCALE * one.mean(0), labels) for one in scores]
        torch.stack(losses).sum().backward()

    return learn


def pepita(net: nn.Sequential) -> Learn:
    """The error added to the input of a second pass."""
    model = local.PEPITA(net, sample(), scale=0.5)

    def learn(images: Tensor, labels: Tensor) -> None:
        model.learn(encode(images), labels)

    return learn


def node_perturbation(net: nn.Sequential) -> Learn:
    """Noise in all currents, and the losses of samples."""
    perturbed = local.NodePerturbation(net, sigma=0.02, directions=4)

    def learn(images: Tensor, labels: Tensor) -> None:
        spikes = encode(images)
        perturbed.estimate(lambda: F.cross_entropy(logits(net, spikes), labels, reduction="none"))

    return learn


def weight_perturbation(net: nn.Sequential) -> Learn:
    """Noise in all weights, forth and back, and the loss of the batch."""
    perturbed = local.WeightPerturbation(net, sigma=0.02, directions=8)

    def learn(images: Tensor, labels: Tensor) -> None:
        spikes = encode(images)
        perturbed.estimate(lambda: F.cross_entropy(logits(net, spikes), labels))

    return learn


def goodness(net: nn.Sequential) -> local.ForwardForward:
    """The hidden layers alone: they fire for digits with the right label in their first row."""
    return local.ForwardForward(net[:4], sample(), threshold=4.0)


def forward_forward(net: nn.Sequential) -> Learn:
    """Digits with the right label, and with a wrong one."""
    model = goodness(net)

    def learn(images: Tensor, labels: Tensor) -> None:
        wrong = (labels + torch.randint(1, CLASSES, labels.shape)) % CLASSES
        pair = (local.label_input(images, which, CLASSES) for which in (labels, wrong))
        model.loss(*map(encode, pair)).backward()

    return learn


RULES = {
    "BPTT": Rule(bptt, 2e-3),
    "layer-wise losses": Rule(layerwise, 2e-3),
    "sign-concordant feedback": Rule(partial(feedback, "sign"), 2e-3),
    "feedback alignment": Rule(partial(feedback, "fa"), 2e-3),
    "direct feedback": Rule(partial(feedback, "dfa"), 2e-3),
    "random target projection": Rule(partial(feedback, "drtp"), 2e-3),
    "PEPITA": Rule(pepita, 5e-4),
    "Forward-Forward": Rule(forward_forward, 2e-3),
    "node perturbation": Rule(node_perturbation, 2e-3),
    "weight perturbation": Rule(weight_perturbation, 2e-3),
}


def main() -> None:
    """Trains once with each rule, from the same weights."""
    arguments = options(__doc__)
    task = tasks.digits(seed=arguments.seed)
    epochs = 1 if arguments.short else 20
    results = {}
    for name, rule in RULES.items():
        torch.manual_seed(arguments.seed)
        results[name] = train(name, rule, task, epochs, 200 if arguments.short else len(task.train))
    take_times(results, task, rounds=2 if arguments.short else 20)
    save(draw(results), arguments.out / "credit_assignment.png")
    print(f"{'rule':26}{'accuracy':>9}{'angle at first':>16}{'at last':>9}{'ms a batch':>12}")
    for name, result in results.items():
        first, last = (f"{result.angles[i]:.0f}°" if result.angles else "-" for i in (0, -1))
        row = f"{name:26}{result.accuracy:>9.1%}{first:>16}{last:>9}"
        print(f"{row}{1000 * result.seconds:>12.1f}")


def train(name: str, rule: Rule, task: tasks.Task, epochs: int, limit: int) -> Result:
    """Trains a network, and looks at its updates after each epoch."""
    net = network()
    result = Result(rule.make(net))
    optimizer = torch.optim.Adam(net.parameters(), lr=rule.learning_rate)
    batches = -(-limit // BATCH)
    with tqdm(total=epochs * batches, desc=f"{name:26}", ncols=100) as bar:
        for _ in range(epochs):
            measure(net, name, task, result)
            for index in torch.randperm(limit).split(BATCH):
                optimizer.zero_grad()
                result.learn(*task.train[index])
                optimizer.step()
                bar.update()
        measure(net, name, task, result)
        result.accuracy = accuracy(net, name, task)
        bar.set_postfix_str(f"test {result.accuracy:.1%}")
    return result


def take_times(results: dict[str, Result], task: tasks.Task, rounds: int) -> None:
    """How much time of one processor an update takes; rules take turns."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for _ in range(rounds):
        for result in results.values():
            began = time.process_time()
            result.learn(*task.train[:BATCH])
            result.seconds = min(result.seconds, time.process_time() - began)
    torch.set_num_threads(threads)


@torch.no_grad()
def accuracy(net: nn.Sequential, name: str, task: tasks.Task) -> float:
    """The share of the test that is told."""
    images, labels = task.test.tensors
    if name == "Forward-Forward":
        answers = goodness(net).predict(images, CLASSES, encode)
    else:
        answers = logits(net, encode(images)).argmax(1)
    return float((answers == labels).float().mean())


def measure(net: nn.Sequential, name: str, task: tasks.Task, result: Result) -> None:
    """The angle between the update of the hidden weights and that of backpropagation."""
    if name in ("BPTT", "Forward-Forward"):  # the same; and of another loss
        return
    updates = []
    for way in (result.learn, bptt(net)):
        net.zero_grad()
        with torch.random.fork_rng():
            torch.manual_seed(1)  # the same spikes
            way(*task.train[:256])
        updates.append(torch.cat([net[i].weight.grad.flatten() for i in (0, 2)]))
    net.zero_grad()
    cosine = F.cosine_similarity(*updates, dim=0)
    result.angles.append(float(torch.rad2deg(torch.arccos(cosine))))


def draw(results: dict[str, Result]) -> Figure:
    """A row per rule: what it finds, where its updates point before and after, what it costs."""
    names = list(reversed(results))
    page = figure(13, 4.4)
    found, points, costs = page.subplots(1, 3, sharey=True, width_ratios=[1.1, 1, 1])
    bars = found.barh(names, [results[name].accuracy for name in names], color=BLUE)
    found.bar_label(bars, fmt="{:.1%}", padding=3)
    found.set_xlim(0, 1.2)
    found.set_xticks([0, 0.25, 0.5, 0.75, 1])
    found.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    tidy(found, "digits of the test that are told")
    with_angle = [name for name in names if results[name].angles]
    first, last = ([results[name].angles[i] for name in with_angle] for i in (0, -1))
    points.hlines(with_angle, first, last, color=ORANGE, linewidth=1.5)
    points.scatter(first, with_angle, facecolor="white", edgecolor=ORANGE, zorder=3, label="before")
    points.scatter(last, with_angle, color=ORANGE, zorder=3, label="after training")
    points.axvline(90, color=GREY, linewidth=1)
    points.set_xlim(0, 120)
    points.xaxis.set_major_formatter("{x:.0f}°")
    points.legend(frameon=False, loc="upper left")
    tidy(points, "angle to the update of BPTT")
    base = results["BPTT"].seconds
    times = [results[name].seconds / base for name in names]
    bars = costs.barh(names, times, color=GREY)
    costs.bar_label(bars, fmt="{:.1f}", padding=3)
    costs.set_xlim(0, 1.2 * max(times))
    tidy(costs, "time of an update, that of BPTT being 1")
    return page


if __name__ == "__main__":
    main()
