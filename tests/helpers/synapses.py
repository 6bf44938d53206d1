"""Synapses that a rule of plasticity changes."""

import torch
from torch import nn

import bitspike as snn


def train(times, steps=None):
    """One neuron that fires at these times."""
    x = torch.zeros(steps or 30, 1, 1, dtype=torch.float64)
    x[list(times)] = 1.0
    return x


def change(rule, pre, post, weight=0.0):
    """By how much weights change that stay as they are."""
    fc = nn.Linear(pre.shape[2], post.shape[2]).double()
    nn.init.constant_(fc.weight, weight)
    rule.attach(fc)
    rule.record(pre, post)
    rule.step(on_grad=True)
    return -fc.weight.grad


def network(case="linear", dtype=torch.float32):
    torch.manual_seed(3)
    synapse, shape = {
        "linear": (nn.Linear(70, 6), (70,)),
        "conv1d": (nn.Conv1d(2, 4, 3, stride=2, padding=1), (2, 9)),
        "conv2d": (nn.Conv2d(2, 4, (3, 2), padding=1, dilation=2), (2, 7, 6)),
    }[case]
    with torch.no_grad():
        synapse.weight.uniform_(0, 0.8)
    lif = snn.Leaky(beta=0.5, threshold=1.5, init_hidden=True)
    x = (torch.rand(12, 3, *shape) < 0.3).to(dtype)
    return nn.Sequential(synapse, lif).to(dtype), x


def run(net, x):
    with torch.no_grad():
        return torch.stack([net(step) for step in x])
