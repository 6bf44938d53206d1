"""The network of examples/mnist.py as an ordinary snnTorch program, with only the import changed.

This is what a user gets who changes nothing else: rate coding, then one step at a time. Grey images
of the same density stand for the digits: the time of a step does not depend on what they show.
"""

from types import ModuleType

import torch
from torch import nn
from torch.nn import functional as F

import bitspike
from timing import Sample, interleaved

STEPS, BATCH, BATCHES = 25, 128, 32
DENSITY = 0.13
# Batches whose losses are compared.
COMPARED = 8


class Epoch:
    """A network, its optimizer and the loop over 32 batches of 25 steps."""

    def __init__(self, library: ModuleType, batches: int) -> None:
        """Builds 784-512-10 from the neurons of ``library``."""
        self.batches = batches
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(784, 512), nn.Linear(512, 10)
        self.hidden, self.output = library.Leaky(beta=0.95), library.Leaky(beta=0.95)
        parameters = [*self.first.parameters(), *self.second.parameters()]
        self.optimizer = torch.optim.Adam(parameters, lr=1e-3)
        self.library = library
        self.images = torch.full((BATCH, 784), DENSITY)
        self.labels = torch.randint(10, (BATCH,))
        self.losses: list[float] = []

    def __call__(self) -> None:
        """Trains for one epoch."""
        torch.manual_seed(0)
        for _ in range(self.batches):
            hidden, output = self.hidden.reset_mem(), self.output.reset_mem()
            counts = 0
            for step in self.library.spikegen.rate(self.images, num_steps=STEPS):
                spikes, hidden = self.hidden(self.first(step), hidden)
                spikes, output = self.output(self.second(spikes), output)
                counts = counts + spikes
            loss = F.cross_entropy(counts, self.labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.losses.append(loss.item())


def times(rounds: int, batches: int) -> dict[str, Sample]:
    """Times an epoch with both imports; both must begin to learn the same.

    Products sum in different orders, so sooner or later a spike flips, and the losses drift apart.
    """
    import snntorch
    import snntorch.spikegen

    epochs = {"bitspike": Epoch(bitspike, batches), "snnTorch": Epoch(snntorch, batches)}
    samples = interleaved(epochs, rounds)
    first = (epoch.losses[:COMPARED] for epoch in epochs.values())
    torch.testing.assert_close(*first, rtol=1e-4, atol=1e-4)
    return samples
