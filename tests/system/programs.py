"""Beginnings of programs, which tests run in processes of their own."""

import sys

import pytest

unix = pytest.mark.skipif(sys.platform == "win32", reason="needs fork and signals")
"""Marks a test whose program does what Windows cannot."""

LAYER = """
import os, sys, threading, time, warnings
import torch
from torch import nn
import bitspike as snn

def case(density, seed=0, size=300):
    \"\"\"A layer large enough for threads, its input, and gradients of its outputs.\"\"\"
    generator = torch.Generator().manual_seed(seed)
    x = (torch.rand(20, 32, size, generator=generator) < density).float()
    net = nn.Sequential(
        nn.Linear(size, 400), snn.Leaky(beta=0.9, multi_step=True, learn_beta=True)
    )
    net[0].bias.requires_grad_(False).fill_(0.1)  # torch would sum its gradient in threads
    net[0].weight.data = torch.rand(400, size, generator=generator) * 0.8
    gradients = [torch.rand(20, 32, 400, generator=generator) for _ in range(2)]
    return net, x, gradients

def results(net, x, gradients):
    \"\"\"The bits of forward and backward. torch itself computes nothing large here.\"\"\"
    net.zero_grad()
    spikes, membranes = net(snn.SpikeTensor.from_dense(x))
    torch.autograd.backward([spikes, membranes], gradients)
    found = [spikes.dense(), membranes.detach(), net[0].weight.grad, net[1].beta.grad]
    return [y.numpy().tobytes() for y in found]
"""
"""A layer that takes several threads, and the bits of what it computes."""

LARGE_KERNEL = """
import threading, time
import torch, bitspike as snn
torch.set_num_threads(1)
x = torch.rand(1, 32, 2000).expand({steps}, 32, 2000)
lif = snn.Leaky(beta=0.9, multi_step=True, init_hidden=True)
lif(x[:10])
"""
"""One call that takes long, on one thread."""

TRAINING = """
import os, signal, threading, time, warnings
warnings.simplefilter("ignore")
import torch, bitspike as snn
torch.set_num_threads(1)
x = torch.rand(20, 64, 300)  # results of more than a megabyte are recycled
lif, other = snn.Leaky(0.9, multi_step=True), snn.Leaky(0.9, multi_step=True)
wanted = lif(x)[1]
"""
"""Layers whose results take recycled memory."""
