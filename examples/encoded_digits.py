"""What the examples of training at scale share: digits that workers encode, and a network."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, TensorDataset

import bitspike as snn
from bitspike import spikegen, tasks, utils

STEPS = 20


class Encoded(Dataset[tuple[Tensor, Tensor]]):
    """Digits as packed spikes ``[STEPS, 64]`` in a rate code, each with its label.

    The spikes of a digit depend on its number alone, whichever process draws them.
    """

    def __init__(self, digits: TensorDataset) -> None:
        self.digits = digits

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image, label = self.digits[index]
        generator = torch.Generator().manual_seed(index)
        spikes = spikegen.rate(image.flatten(), num_steps=STEPS, packed=True, generator=generator)
        return spikes, label


def network(seed: int) -> nn.Sequential:
    """Maps spikes ``[STEPS, B, 64]`` to the membranes ``[STEPS, B, 10]`` of a readout."""
    torch.manual_seed(seed)
    neuron = {"beta": 0.9, "init_hidden": True, "multi_step": True}
    return nn.Sequential(
        nn.Linear(64, 100), snn.Leaky(**neuron), nn.Linear(100, 10), snn.LI(**neuron)
    )


def cross_entropy(membranes: Tensor, labels: Tensor) -> Tensor:
    """The loss, of membranes on average over time."""
    return F.cross_entropy(membranes.mean(0), labels)


@torch.no_grad()
def accuracy(net: nn.Module, digits: TensorDataset) -> float:
    """The share of digits that the network finds."""
    spikes, labels = tasks.time_first(list(Encoded(digits)))
    utils.reset(net)
    return (net(spikes).mean(0).argmax(1) == labels).float().mean().item()
