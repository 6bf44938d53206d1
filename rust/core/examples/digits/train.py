"""Trains a network on handwritten digits and saves it for the program `classify_digits`."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import bitspike as snn
import bitspike.functional as SF

FOLDER = Path(__file__).parent
STEPS, EPOCHS, SHOWN = 25, 40, 50


def spikes(net: nn.Module, pixels: Tensor) -> Tensor:
    """The output spikes ``[T, B, 10]``; the pixels ``[B, 64]`` drive the network at every step."""
    snn.utils.reset(net)
    return torch.stack([net(pixels) for _ in range(STEPS)])


def trained(pixels: Tensor, labels: Tensor) -> nn.Module:
    """Two layers of leaky neurons that know the digits."""
    net = nn.Sequential(
        nn.Linear(64, 64),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(64, 10),
        snn.Leaky(beta=0.9, init_hidden=True),
    )
    optimizer, loss_of = torch.optim.Adam(net.parameters(), lr=5e-3), SF.ce_count_loss()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(pixels)).split(128):
            loss = loss_of(spikes(net, pixels[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


def main() -> None:
    """Writes the network and some digits that it has not seen."""
    torch.manual_seed(0)
    task = snn.tasks.digits()
    (train_x, train_y), (test_x, labels) = task.train.tensors, task.test.tensors
    pixels = test_x.flatten(1)
    net = trained(train_x.flatten(1), train_y)
    with torch.no_grad():
        accuracy = SF.accuracy_rate(spikes(net, pixels), labels)
    snn.save_network(net, FOLDER / "network.safetensors", pixels[:1], kind="numbers")
    digits = zip(labels[:SHOWN].tolist(), pixels[:SHOWN].tolist(), strict=True)
    lines = [" ".join([str(label), *(f"{x:g}" for x in row)]) for label, row in digits]
    (FOLDER / "digits.txt").write_text("\n".join(lines) + "\n")
    sys.stdout.write(f"{accuracy:.1%} of the test digits are right\n")


if __name__ == "__main__":
    main()
