"""Trains a network on handwritten digits and saves it for the program `classify_digits`.

In floats, and in integers: with weights of 4 bits, which are trained as such.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import bitspike as snn
import bitspike.functional as SF
from bitspike import quantize

FOLDER = Path(__file__).parent
STEPS, EPOCHS, SHOWN = 25, 40, 50
EPOCHS_OF_FEW_BITS = 15
# One scale for a whole layer: then all its neurons have the same threshold.
FEW_BITS = quantize.Integer(4, per_channel=False)


def spikes(net: nn.Module, pixels: Tensor) -> Tensor:
    """The output spikes ``[T, B, 10]``; the pixels ``[B, 64]`` drive the network at every step."""
    snn.utils.reset(net)
    return torch.stack([net(pixels) for _ in range(STEPS)])


def network() -> nn.Module:
    """Two layers of leaky neurons."""
    return nn.Sequential(
        nn.Linear(64, 256),
        snn.Leaky(beta=0.9, init_hidden=True),
        nn.Linear(256, 10),
        snn.Leaky(beta=0.9, init_hidden=True),
    )


def train(net: nn.Module, pixels: Tensor, labels: Tensor, epochs: int, rate: float) -> None:
    """Teaches a network the digits."""
    optimizer, loss_of = torch.optim.Adam(net.parameters(), lr=rate), SF.ce_count_loss()
    for _ in range(epochs):
        for batch in torch.randperm(len(pixels)).split(128):
            loss = loss_of(spikes(net, pixels[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def main() -> None:
    """Writes the network and some digits that it has not seen."""
    torch.manual_seed(0)
    task = snn.tasks.digits()
    (train_x, train_y), (test_x, labels) = task.train.tensors, task.test.tensors
    pixels = test_x.flatten(1)
    net = network()
    train(net, train_x.flatten(1), train_y, EPOCHS, 5e-3)
    snn.save_network(net, FOLDER / "network.safetensors", pixels[:1], kind="numbers")
    small = quantize.prepare(net, FEW_BITS, first=FEW_BITS, last=FEW_BITS)
    train(small, train_x.flatten(1), train_y, EPOCHS_OF_FEW_BITS, 2e-3)
    # Pixels are sixteenths.
    scale = {"input_scale": 1 / 16, "input_range": (0, 16)}
    exact = quantize.to_integer(small, pixels[:1], decay="shift", kind="numbers", **scale)
    exact.save(FOLDER / "integers.safetensors")
    with torch.no_grad():
        runs = [spikes(net, pixels), exact(pixels.expand(STEPS, -1, -1))]
    accuracy = [SF.accuracy_rate(run, labels) for run in runs]
    digits = zip(labels[:SHOWN].tolist(), pixels[:SHOWN].tolist(), strict=True)
    lines = [" ".join([str(label), *(f"{x:g}" for x in row)]) for label, row in digits]
    (FOLDER / "digits.txt").write_text("\n".join(lines) + "\n")
    for kind, share in zip(("floats", "integers"), accuracy, strict=True):
        sys.stdout.write(f"{share:.1%} of the test digits are right in {kind}\n")


if __name__ == "__main__":
    main()
