"""The networks that are raced: their layers, their random input and weights.

Weights are dyadic, so that all libraries start with the same spikes, and scaled from layer to layer
for the spikes that arrive there, so that all layers fire.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

import bitspike as snn
import leaky
from problem import dyadic, weight_deviation

Neuron = Callable[[], nn.Module]


class Network(NamedTuple):
    """Layers, and the input that they are fed."""

    name: str
    steps: int
    batch: int
    inputs: tuple[int, ...]
    """Shape of the input of one sample at one step."""
    density: float
    layers: Callable[[Neuron], list[nn.Module]]

    def __str__(self) -> str:
        """Its name in tables."""
        return f"{self.name}, T={self.steps} B={self.batch}"

    def tiny(self) -> "Network":
        """The same layers, with hardly any input."""
        return self._replace(steps=4, batch=2)


def _dense(*sizes: int) -> Callable[[Neuron], list[nn.Module]]:
    def layers(neuron: Neuron) -> list[nn.Module]:
        pairs = zip(sizes, sizes[1:], strict=False)
        return [module for pair in pairs for module in (nn.Linear(*pair), neuron())]

    return layers


def _convolutional(neuron: Neuron) -> list[nn.Module]:
    return [
        *(nn.Conv2d(2, 12, 5), neuron(), nn.MaxPool2d(2)),
        *(nn.Conv2d(12, 32, 5), neuron(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 5 * 5, 10), neuron()),
    ]


CONV = Network("2×34×34 conv 12, conv 32, 10", 20, 16, (2, 34, 34), 0.03, _convolutional)
SHD = Network("700-256-256-20", 250, 64, (700,), 0.02, _dense(700, 256, 256, 20))
DEEP = Network("four layers of 512", 500, 32, (512,), 0.05, _dense(512, 512, 512, 512, 512))
NETWORKS = {"conv": CONV, "shd": SHD, "deep": DEEP}
LOOP = Network("784-512-10", 25, 128, (784,), 0.13, _dense(784, 512, 10))
STREAM = Network("three layers of 256", 200, 1, (256,), 0.05, _dense(256, 256, 256, 256))


class Start(NamedTuple):
    """A network with its data: what every library starts from."""

    network: Network
    width: float | None
    """Of the surrogate: a triangle, or atan where there is none."""
    x: Tensor
    """Spikes [T, B, *inputs] as 0.0 and 1.0."""
    labels: Tensor
    weights: tuple[Tensor, ...]
    """Of the layers that have some; their biases are zero."""
    arriving: tuple[Tensor, ...]
    """The spikes [T·B, *] that arrive at these layers, as floats."""
    fired: float
    """Share of the neuron-steps that fire."""
    neurons: int
    active: float | None
    """Share of the neuron-steps at which the surrogate is not 0, if it can be."""

    def modules(self, neuron: Neuron) -> list[nn.Module]:
        """Fresh layers around the neurons of a library, with the common weights."""
        modules = self.network.layers(neuron)
        weighted = (module for module in modules if hasattr(module, "weight"))
        with torch.no_grad():
            for module, weight in zip(weighted, self.weights, strict=True):
                module.weight.copy_(weight)
                module.bias.zero_()
        return modules


@torch.no_grad()
def start(network: Network, width: float | None = None, seed: int = 0) -> Start:
    """Draws input and weights, and counts what the network does with them."""
    torch.manual_seed(seed)
    x, labels = data(network)
    weights: list[Tensor] = []
    arriving: list[Tensor] = []
    # Spikes, and surrogates that are not 0, of all neuron-steps.
    counts = {"fired": 0.0, "active": 0.0, "neurons": 0}
    value: Tensor = snn.SpikeTensor.from_dense(x, len(network.inputs))
    for module in network.layers(_with_membranes):
        if hasattr(module, "weight"):
            arriving.append(value.flatten(0, 1) + 0.0)
            inputs = module.weight[0].numel()
            deviation = weight_deviation(inputs, arriving[-1].mean().item())
            module.weight.copy_(dyadic(deviation * torch.randn_like(module.weight)))
            module.bias.zero_()
            weights.append(module.weight.detach())
        value = snn.unroll(module, value)
        if isinstance(value, tuple):
            value, membranes = value
            counts["fired"] += value.sum().item()
            counts["active"] += ((membranes - 1).abs() < (width or 0.0)).sum().item()
            counts["neurons"] += membranes[0, 0].numel()
    total = counts["neurons"] * network.steps * network.batch
    return Start(
        network,
        width,
        x,
        labels,
        tuple(weights),
        tuple(arriving),
        counts["fired"] / total,
        int(counts["neurons"]),
        None if width is None else counts["active"] / total,
    )


def data(network: Network) -> tuple[Tensor, Tensor]:
    """Bernoulli spikes [T, B, *inputs] as 0.0 and 1.0, and labels."""
    shape = (network.steps, network.batch, *network.inputs)
    return (torch.rand(shape) < network.density).float(), torch.randint(10, (network.batch,))


def _with_membranes() -> nn.Module:
    neuron = leaky.bitspike()
    neuron.output = True
    return neuron


def named(only: str) -> Iterator[Network]:
    """The networks whose names contain this."""
    return (network for network in NETWORKS.values() if only in str(network))
