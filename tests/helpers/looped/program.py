"""What programs with a loop over time have in common."""

import torch
from torch import nn

import bitspike as snn

T, B, N = 6, 5, 8


class Program(nn.Module):
    """Two layers; what happens in a step, and around the loop, is up to the subclass."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(N, N), nn.Linear(N, N)
        self.lif1, self.lif2 = snn.Leaky(beta=0.75), snn.Leaky(beta=0.5)
        self.one, self.two = (snn.Leaky(beta=0.75, init_hidden=True) for _ in range(2))


def made(kind):
    """A program with numbers whose sums are exact, because products sum in other orders."""
    torch.manual_seed(4)
    net = kind()
    with torch.no_grad():
        for name, x in net.named_parameters():
            x.copy_((x * (3 if "fc" in name else 1) * 32).round() / 32)
    return net
