"""Networks of spiking neurons in which something happens, for rules of learning."""

import torch
from torch import nn

import bitspike as snn
from helpers.compare import dense

T, B, INPUTS, CLASSES = 8, 6, 12, 4
NEURON = {"beta": 0.8, "init_hidden": True}


def spikes(dtype=torch.float32, packed=False, shape=(INPUTS,)):
    x = (torch.rand(T, B, *shape) < 0.4).to(dtype)
    return snn.SpikeTensor.from_dense(x, len(shape)) if packed else x


def dense_network(hidden=2, multi_step=True, dtype=torch.float32, **options):
    """Hidden layers of 10, and a readout of membranes."""
    neuron = {**NEURON, "multi_step": multi_step, **options}
    sizes = [INPUTS, *[10] * hidden]
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(inputs, outputs), snn.Leaky(**neuron)]
    net = nn.Sequential(
        *layers, nn.Linear(10, CLASSES), snn.LI(0.8, init_hidden=True, multi_step=multi_step)
    )
    return lively(net).to(dtype)


def convolutional_network(dtype=torch.float32):
    """Two convolutions and a readout, for images of 8×8; it is unrolled."""
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        snn.Leaky(**NEURON),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, bias=False),
        snn.Leaky(**NEURON),
        nn.Flatten(),
        nn.Linear(6, CLASSES),
        snn.LI(0.8, init_hidden=True),
    )
    return lively(net).to(dtype)


def lively(net):
    """Its weights of a size at which all layers fire."""
    for module in net.modules():
        if hasattr(module, "weight"):
            nn.init.kaiming_normal_(module.weight)
    return net


def assert_alive(net, x, run=None):
    """Each layer fires, and each is silent, somewhere."""
    net = nn.Sequential(*net)
    seen = []
    handles = [
        module.register_forward_hook(lambda _, args, y: seen.append(dense(y).mean().item()))
        for module in net
        if isinstance(module, snn.Leaky)
    ]
    with torch.no_grad():
        (run or nn.Module.__call__)(net, x)
    for handle in handles:
        handle.remove()
    snn.utils.reset(net)
    assert seen and all(0.02 < rate < 0.9 for rate in seen), seen


def gradients(net):
    """Of all its parameters that have one, which are forgotten then."""
    found = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad()
    return found


def angle(first, second):
    """Between two sets of gradients, in degrees."""
    a, b = (torch.cat([x.flatten().double() for x in one.values()]) for one in (first, second))
    return torch.rad2deg(torch.arccos(torch.dot(a, b) / (a.norm() * b.norm()))).item()


# A network, its dtype, whether spikes are packed, the shape of a sample, and what runs it.
CASES = {
    "dense float64": (dense_network, torch.float64, False, (INPUTS,), None),
    "packed": (dense_network, torch.float32, True, (INPUTS,), None),
    "convolution float64": (convolutional_network, torch.float64, False, (1, 8, 8), snn.unroll),
    "packed convolution": (convolutional_network, torch.float32, True, (1, 8, 8), snn.unroll),
}
