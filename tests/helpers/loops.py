"""Programs with a loop over time, as snnTorch's tutorials have them, for either library."""

import snntorch
import torch
from torch import nn
from torch.nn import functional as F

import bitspike as snn


def copied(make, **options):
    """The same network of both libraries, with the same weights."""
    one = make(snn, **options)
    with torch.no_grad():  # numbers whose sums are exact, because products sum in other orders
        for name, x in one.named_parameters():
            if "weight" in name or "bias" in name:
                x.copy_((x * 64).round() / 64)
    other = make(snntorch, **options)
    other.load_state_dict(one.state_dict(), strict=False)
    return one, other


class FeedForward(nn.Module):
    """Explicit states, lists, a stack of spikes and one of membranes."""

    def __init__(self, library, steps=12):
        super().__init__()
        self.steps = steps
        self.fc1, self.lif1 = nn.Linear(30, 40), library.Leaky(beta=0.9)
        self.fc2, self.lif2 = nn.Linear(40, 10), library.Leaky(beta=0.8)

    def forward(self, x):
        mem1 = self.lif1.init_leaky()
        mem2 = self.lif2.init_leaky()
        spk2_rec, mem2_rec = [], []
        for step in range(self.steps):
            cur1 = self.fc1(x[step])
            spk1, mem1 = self.lif1(cur1, mem1)
            cur2 = self.fc2(spk1)
            spk2, mem2 = self.lif2(cur2, mem2)
            spk2_rec.append(spk2)
            mem2_rec.append(mem2)
        return torch.stack(spk2_rec, dim=0), torch.stack(mem2_rec, dim=0)


class Convolutional(nn.Module):
    """Convolutions, pools, hidden states: one step per call."""

    def __init__(self, library):
        super().__init__()
        self.conv1, self.pool1 = nn.Conv2d(1, 6, 3), nn.MaxPool2d(2)
        self.lif1 = library.Leaky(beta=0.7, init_hidden=True)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.lif2 = library.Leaky(beta=0.6, init_hidden=True)
        self.fc = nn.Linear(8 * 3 * 3, 10)
        self.lif3 = library.Leaky(beta=0.5, init_hidden=True, output=True)

    def forward(self, x):
        x = self.lif1(self.pool1(self.conv1(x)))
        x = self.lif2(F.max_pool2d(self.conv2(x), 2))
        return self.lif3(self.fc(x.flatten(1)))


class Population(nn.Module):
    """A static input, and a population of output neurons."""

    def __init__(self, library, steps=9):
        super().__init__()
        self.steps = steps
        self.fc1 = nn.Linear(30, 25)
        self.lif1 = library.Leaky(beta=0.9)
        self.fc2 = nn.Linear(25, 60)
        self.lif2 = library.Leaky(beta=0.8)

    def forward(self, x):
        mem1, mem2 = self.lif1.reset_mem(), self.lif2.reset_mem()
        recorded = []
        for _ in range(self.steps):
            spk1, mem1 = self.lif1(self.fc1(x.flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            recorded.append(spk2)
        return torch.stack(recorded)


class Regression(nn.Module):
    """A recurrent layer, and membranes as the result."""

    def __init__(self, library):
        super().__init__()
        self.fc1 = nn.Linear(5, 20)
        self.rlif1 = library.RLeaky(beta=0.5, linear_features=20)
        self.fc2 = nn.Linear(20, 1)
        self.li = library.Leaky(beta=0.8, reset_mechanism="none")

    def forward(self, x):
        spk1, mem1 = self.rlif1.init_rleaky()
        mem2 = self.li.init_leaky()
        mem2_rec = []
        for x_t in x:
            spk1, mem1 = self.rlif1(self.fc1(x_t), spk1, mem1)
            _, mem2 = self.li(self.fc2(spk1), mem2)
            mem2_rec.append(mem2)
        return torch.stack(mem2_rec)


def forward_pass(net, num_steps, data, reset):
    """The loop around a network of single steps."""
    mem_rec, spk_rec = [], []
    reset(net)
    for _ in range(num_steps):
        spk_out, mem_out = net(data)
        spk_rec.append(spk_out)
        mem_rec.append(mem_out)
    return torch.stack(spk_rec), torch.stack(mem_rec)
