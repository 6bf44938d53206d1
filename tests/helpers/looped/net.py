"""A network with a loop over time, such as people write first."""

import torch
from torch import nn

import bitspike as snn


class Net(nn.Module):
    """A loop over the steps of its input, or over a number of steps."""

    def __init__(self, steps=None):
        super().__init__()
        self.steps = steps
        self.fc, self.drop = nn.Linear(3, 4), nn.Dropout()
        self.lif = snn.Leaky(beta=0.5)
        self.register_buffer("gain", torch.tensor(2.0))

    def forward(self, x):
        mem = self.lif.init_leaky()
        recorded = []
        for t in range(self.steps or len(x)):
            spk, mem = self.lif(self.drop(self.fc(x[t])) * self.gain, mem)
            recorded.append(spk)
        return torch.stack(recorded)
