"""What the examples share: their options, and how a network is trained and tested."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from tqdm import tqdm

from bitspike import utils

# The two sides of a network, whose input is [T, B, *] and whose output is what its last neuron
# returns: spikes, or spikes and states.
Encode = Callable[[Tensor], Tensor]
Loss = Callable[[Any, Tensor], Tensor]
Decide = Callable[[Any], Tensor]


def options(description: str | None, out: str = "demo") -> argparse.Namespace:
    """Reads the command line that all examples have."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--short", action="store_true", help="little data and one epoch, to try it")
    parser.add_argument("--seed", type=int, default=1, help="seed of everything random")
    parser.add_argument("--out", type=Path, default=Path(out), help="folder of the figures")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    return arguments


@dataclass
class History:
    """Loss in training, and accuracy in the test, of each epoch."""

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)


def fit(
    net: nn.Module,
    train: TensorDataset,
    test: TensorDataset,
    *,
    encode: Encode,
    loss: Loss,
    decide: Decide,
    epochs: int,
    name: str,
    batch: int = 128,
    learning_rate: float = 2e-3,
    faster: Sequence[nn.Parameter] = (),
) -> History:
    """Trains with Adam and a cosine schedule, with one progress bar.

    Args:
        net: Maps ``[T, B, *]`` to what ``loss`` and ``decide`` take.
        train: Samples ``[N, *]`` and labels ``[N]``.
        test: The same, to test on after each epoch.
        encode: Samples ``[B, *]`` to what the network takes.
        loss: The output and labels ``[B]`` to a number.
        decide: The output to classes ``[B]``.
        epochs: How often all samples are seen.
        name: What the progress bar says.
        batch: Samples per step.
        learning_rate: That of Adam at the start.
        faster: Parameters that learn ten times as fast.
    """
    history = History()
    others = [x for x in net.parameters() if not any(x is y for y in faster)]
    groups = [{"params": others}, {"params": list(faster), "lr": 10 * learning_rate}]
    optimizer = torch.optim.Adam(groups if faster else others, lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    batches = -(-len(train) // batch)
    with tqdm(total=epochs * batches, desc=name, ncols=100) as bar:
        for _ in range(epochs):
            total = 0.0
            for index in torch.randperm(len(train)).split(batch):
                samples, labels = train[index]
                utils.reset(net)
                cost = loss(net(encode(samples)), labels)
                optimizer.zero_grad()
                cost.backward()
                optimizer.step()
                total += cost.item() / batches
                bar.update()
            schedule.step()
            history.loss.append(total)
            history.accuracy.append(accuracy(net, test, encode=encode, decide=decide))
            bar.set_postfix_str(f"loss {total:.3g}, test {history.accuracy[-1]:.1%}")
    return history


@torch.no_grad()
def accuracy(
    net: nn.Module, data: TensorDataset, *, encode: Encode, decide: Decide, batch: int = 512
) -> float:
    """The share of classes that the network finds."""
    right = answers = 0
    for index in torch.arange(len(data)).split(batch):
        samples, labels = data[index]
        utils.reset(net)
        right += int((decide(net(encode(samples))) == labels).sum())
        answers += labels.numel()
    return right / answers
