"""Trains a network on handwritten digits and writes it for the Rust program `classify_digits`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

import bitspike as snn
import bitspike.functional as SF
from bitspike.ops import network

STEPS = 25
HIDDEN = 64
FOLDER = Path(__file__).parents[1] / "rust" / "core" / "examples" / "digits"


class Net(nn.Module):
    """Pixels as a constant current, two layers of leaky neurons."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, HIDDEN), snn.Leaky(beta=0.9, multi_step=True)
        self.fc2, self.lif2 = nn.Linear(HIDDEN, 10), snn.Leaky(beta=0.9, multi_step=True)

    def forward(self, pixels: Tensor) -> Tensor:
        """The output spikes ``[T, B, 10]`` of pixels ``[B, 64]``."""
        current = self.fc1(pixels).expand(STEPS, -1, -1)
        spikes, _ = self.lif1(current)
        spikes, _ = self.lif2(self.fc2(spikes))
        return spikes


def trained(pixels: Tensor, labels: Tensor) -> Net:
    """A network that has seen the digits 60 times."""
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    loss_of = SF.ce_count_loss()
    for _ in range(60):
        for batch in torch.randperm(len(pixels)).split(128):
            loss = loss_of(net(pixels[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net


def leaky(current: str, out: str, state: str) -> dict[str, object]:
    """The op of the neurons above."""
    return {
        "op": "leaky",
        "in": current,
        "out": out,
        "beta": 0.9,
        "threshold": 1.0,
        "reset": "subtract",
        "reset_delay": True,
        "fire_at": "gt",
        "order": "integrate_first",
        "recurrent": None,
        "state": [state],
        "initial": [0],
    }


def linear(x: str, out: str, name: str) -> dict[str, object]:
    """The op of a linear layer."""
    weight, bias = f"{name}.weight", f"{name}.bias"
    return {"op": "linear", "in": x, "out": out, "weight": weight, "bias": bias}


def main() -> None:
    """Writes the network and some digits that it has not seen."""
    torch.manual_seed(0)
    task = snn.tasks.digits()
    (train_x, train_y), (test_x, labels) = task.train.tensors, task.test.tensors
    net = trained(train_x.flatten(1), train_y)
    pixels = test_x.flatten(1)
    with torch.no_grad():
        accuracy = SF.accuracy_rate(net(pixels), labels)
    ops = [
        linear("x", "c1", "fc1"),
        leaky("c1", "s1", "lif1.mem"),
        linear("s1", "c2", "fc2"),
        leaky("c2", "y", "lif2.mem"),
    ]
    graph = {
        "dt": 0.001,
        "inputs": [{"name": "x", "shape": [64], "kind": "numbers"}],
        "previous": [],
        "ops": ops,
        "outputs": ["y"],
    }
    tensors = {name: x.detach() for name, x in net.named_parameters()}
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "network.safetensors").write_bytes(network.write(json.dumps(graph), tensors))
    lines = [
        " ".join([str(int(label)), *(f"{x:g}" for x in row.tolist())])
        for row, label in zip(pixels[:50], labels[:50], strict=True)
    ]
    (FOLDER / "digits.txt").write_text("\n".join(lines) + "\n")
    sys.stdout.write(f"{accuracy:.1%} of the test digits are right\n")


if __name__ == "__main__":
    main()
