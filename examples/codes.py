"""What the examples that compare codes share: a rate code, a latency code, and the network of both.

In a rate code a pixel fires at every step with its brightness as probability, and the output that
fires most is the answer. In a latency code a pixel fires once, the earlier the brighter it is, dark
ones not at all, and the output that fires first is the answer.
"""

from functools import partial
from typing import NamedTuple

from torch import Tensor, nn

import bitspike as snn
from bitspike import decode, spikegen
from bitspike import functional as SF
from drawing import BLUE, ORANGE
from training import Decide, Encode, Loss

STEPS = 20
HIDDEN = 100


class Code(NamedTuple):
    """How a digit becomes spikes, what output spikes cost, and what they say."""

    encode: Encode
    loss: Loss
    decide: Decide
    epochs: int
    colour: str


def rate(images: Tensor) -> Tensor:
    """Packed spikes ``[STEPS, B, 784]`` at random steps."""
    return spikegen.rate(images.flatten(1), num_steps=STEPS, packed=True)


def latency(images: Tensor) -> Tensor:
    """Packed spikes ``[STEPS, B, 784]``, one for each pixel that is not dark."""
    evenly = {"normalize": True, "linear": True, "clip": True}
    return spikegen.latency(images.flatten(1), num_steps=STEPS, packed=True, **evenly)


earliest = partial(decode.latency, silent="never")

# Digits in latency code have so few spikes that an epoch takes a fraction of the time.
CODES = {
    "rate": Code(rate, SF.ce_count_loss(), decode.rate, 5, BLUE),
    "latency": Code(latency, SF.ce_temporal_loss(), earliest, 10, ORANGE),
}


class Observed(nn.Module):
    """A hidden layer and an output layer, which returns the spikes of both."""

    def __init__(self) -> None:
        super().__init__()
        neuron = {"beta": 0.9, "init_hidden": True, "multi_step": True}
        self.hidden = nn.Sequential(nn.Linear(784, HIDDEN), snn.Leaky(**neuron))
        self.output = nn.Sequential(nn.Linear(HIDDEN, 10), snn.Leaky(**neuron))

    def forward(self, spikes: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes ``[T, B, HIDDEN]`` and ``[T, B, 10]``."""
        hidden = self.hidden(spikes)
        return hidden, self.output(hidden)
