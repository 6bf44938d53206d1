"""Train a spiking network on 5,000 MNIST digits, and time the same network in snnTorch.

784 pixels, rate-coded into spikes over 25 steps, drive 512 hidden neurons, which drive 10 output
neurons; the output that fires most is the answer. The network is an ordinary ``nn.Sequential`` of
``nn.Linear`` and ``Leaky``: bitspike passes all steps through it in one call, snnTorch one by one.

    python examples/mnist.py              about a minute; figures are written to demo/
    python examples/mnist.py --help       the options
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import snntorch
import torch
from snntorch import spikegen as snntorch_spikegen
from snntorch import utils as snntorch_utils
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

import bitspike as snn
import plots
from bitspike import spikegen, tasks, utils

STEPS = 25
BATCH = 128
BETA = 0.95
LEARNING_RATE = 2e-3
# Spike counts reach 25: as logits they would saturate the softmax, and learning would stop early.
LOGITS_PER_SPIKE = 0.3

# Maps images [B, 784] to output spikes [T, B, 10].
Run = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Digits:
    """Images [n, 784] between 0 and 1, and their labels [n]."""

    images: Tensor
    labels: Tensor

    def take(self, index: Tensor) -> "Digits":
        """The digits at these positions."""
        return Digits(self.images[index], self.labels[index])

    def shuffled_batches(self) -> list["Digits"]:
        """All digits once, in random order."""
        return [self.take(index) for index in torch.randperm(len(self.labels)).split(BATCH)]


@dataclass
class History:
    """What each epoch ended with."""

    loss: list[float] = field(default_factory=list)
    train_accuracy: list[float] = field(default_factory=list)
    test_accuracy: list[float] = field(default_factory=list)
    hidden_rate: list[float] = field(default_factory=list)
    output_rate: list[float] = field(default_factory=list)


def load_digits(limit: int | None, seed: int) -> tuple[Digits, Digits]:
    """Returns 4/5 of the digits to train on and 1/5 to test on, or ``limit`` digits in all."""
    task = tasks.mnist_5k(limit, seed)
    (images, labels), (test_images, test_labels) = task.train.tensors, task.test.tensors
    return Digits(images.flatten(1), labels), Digits(test_images.flatten(1), test_labels)


def build(library: ModuleType, **options: bool) -> nn.Sequential:
    """The network, made of the neurons of bitspike or of snnTorch."""
    return nn.Sequential(
        nn.Linear(784, 512),
        library.Leaky(beta=BETA, init_hidden=True, **options),
        nn.Linear(512, 10),
        library.Leaky(beta=BETA, init_hidden=True, **options),
    )


def bitspike_run(net: nn.Sequential) -> Run:
    """Encodes to packed spikes and passes the whole sequence through ``net``."""

    def run(images: Tensor) -> Tensor:
        utils.reset(net)
        return net(spikegen.rate(images, num_steps=STEPS, packed=True))

    return run


def snntorch_run(net: nn.Sequential) -> Run:
    """The time loop that users of snnTorch write."""

    def run(images: Tensor) -> Tensor:
        snntorch_utils.reset(net)
        spikes = snntorch_spikegen.rate(images, num_steps=STEPS)
        return torch.stack([net(step) for step in spikes])

    return run


def shift(images: Tensor) -> Tensor:
    """Moves a batch of images by up to one pixel: 4,000 digits are few, this makes them more."""
    rows, columns = torch.randint(-1, 2, (2,)).tolist()
    return images.view(-1, 28, 28).roll((rows, columns), (1, 2)).view(-1, 784)


def train_batch(run: Run, optimizer: torch.optim.Optimizer, batch: Digits) -> tuple[float, float]:
    """One step of BPTT; returns loss and accuracy."""
    counts = run(shift(batch.images)).sum(0)
    loss = F.cross_entropy(LOGITS_PER_SPIKE * counts, batch.labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item(), accuracy(counts, batch.labels)


def accuracy(counts: Tensor, labels: Tensor) -> float:
    """The fraction of digits whose own output neuron fires most."""
    return (counts.argmax(1) == labels).float().mean().item()


@torch.no_grad()
def evaluate(net: nn.Sequential, digits: Digits, history: History) -> None:
    """Appends the accuracy on ``digits`` and the firing rate of both layers to ``history``."""
    utils.reset(net)
    hidden = net[:2](spikegen.rate(digits.images, num_steps=STEPS, packed=True))
    output = net[2:](hidden)
    history.test_accuracy.append(accuracy(output.sum(0), digits.labels))
    history.hidden_rate.append(hidden.density())
    history.output_rate.append(output.density())


def train(net: nn.Sequential, training: Digits, test: Digits, epochs: int) -> History:
    """Trains with Adam and a cosine schedule, one progress bar an epoch."""
    history = History()
    run = bitspike_run(net)
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(1, epochs + 1):
        batches, results = training.shuffled_batches(), []
        with tqdm(total=len(batches), desc=f"epoch {epoch:2}/{epochs}", ncols=110) as bar:
            for batch in batches:
                results.append(train_batch(run, optimizer, batch))
                bar.set_postfix_str(
                    "loss {:.3f}, accuracy {:.1%}".format(*results[-1]), refresh=False
                )
                bar.update()
            schedule.step()
            evaluate(net, test, history)
            history.loss.append(statistics.fmean(loss for loss, _ in results))
            history.train_accuracy.append(statistics.fmean(correct for _, correct in results))
            bar.set_postfix_str(
                f"loss {history.loss[-1]:.3f}, test {history.test_accuracy[-1]:.1%}, "
                f"firing {history.hidden_rate[-1]:.1%}"
            )
    return history


def epoch_seconds(net: nn.Sequential, run: Run, training: Digits) -> float:
    """Trains for one epoch, encoding included, and returns how long it took."""
    optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE)
    batches = training.shuffled_batches()
    start = time.perf_counter()
    for batch in batches:
        train_batch(run, optimizer, batch)
    return time.perf_counter() - start


def compare(net: nn.Sequential, training: Digits, rounds: int) -> tuple[float, float]:
    """Median seconds per epoch in bitspike and in snnTorch, from the same weights."""
    ours = build(snn, multi_step=True)
    theirs = build(snntorch)
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in tqdm(range(rounds), "timing against snnTorch", ncols=110):
        # Times depend on the density of the spikes: every round starts from the trained weights.
        ours.load_state_dict(net.state_dict())
        theirs.load_state_dict(net.state_dict())
        seconds[0].append(epoch_seconds(ours, bitspike_run(ours), training))
        seconds[1].append(epoch_seconds(theirs, snntorch_run(theirs), training))
    return statistics.median(seconds[0]), statistics.median(seconds[1])


@torch.no_grad()
def draw(net: nn.Sequential, digit: Tensor, history: History, folder: Path) -> None:
    """Writes the three figures."""
    folder.mkdir(parents=True, exist_ok=True)
    neuron = snn.Leaky(beta=BETA, multi_step=True)
    encoded = spikegen.rate(digit.unsqueeze(0), num_steps=STEPS, packed=True)
    hidden, membrane = neuron(net[0](encoded))
    output, _ = neuron(net[2](hidden))
    trains = [spikes.dense().squeeze(1) for spikes in (encoded, hidden, output)]
    plots.raster(digit.view(28, 28), trains).savefig(folder / "raster.png")
    plots.membranes(membrane.squeeze(1), trains[1]).savefig(folder / "membrane.png")
    plots.learning_curve(history).savefig(folder / "learning.png")


def options() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="Train on MNIST and compare with snnTorch.")
    parser.add_argument("--epochs", type=int, default=12, help="epochs of training")
    parser.add_argument("--limit", type=int, help="use this many digits instead of 5,000")
    parser.add_argument("--rounds", type=int, default=3, help="timed epochs of each library")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything random")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="where the figures go")
    return parser.parse_args()


def main() -> None:
    """Trains, tests, times and draws."""
    args = options()
    torch.manual_seed(args.seed)
    training, test = load_digits(args.limit, args.seed)
    net = build(snn, multi_step=True)
    history = train(net, training, test, args.epochs)
    ours, theirs = compare(net, training, args.rounds)
    draw(net, test.images[0], history, args.out)
    print(f"test accuracy      {history.test_accuracy[-1]:.1%}")
    print(f"bitspike           {ours:.2f} s per epoch")
    print(f"snnTorch           {theirs:.2f} s per epoch, {theirs / ours:.1f} times as long")
    print(f"figures            {', '.join(str(file) for file in sorted(args.out.glob('*.png')))}")


if __name__ == "__main__":
    main()
