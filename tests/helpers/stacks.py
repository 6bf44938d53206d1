"""Networks that run as one operation or layer by layer, and what is compared of them."""

import torch
from torch import nn

import bitspike as snn
from bitspike import SpikeTensor
from bitspike.run.sequence import run_whole
from helpers.compare import error


def lif(kind=snn.Leaky, **options):
    numbers = {"beta": 0.9} if kind is snn.Leaky else {"alpha": 0.8, "beta": 0.9}
    return kind(**{**numbers, "init_hidden": True, **options})


def spikes(*shape, density=0.2):
    return SpikeTensor.from_dense((torch.rand(shape) < density).float())


def lively(net):
    """Weights with which neurons fire."""
    with torch.no_grad():
        for p in net.parameters():
            if p.dim() > 1:
                p.mul_(4)
    return net


def apart(net, x):
    """The layers one by one."""
    return run_whole(net, x, stacks=False)[0]


def outcome(run, net, x):
    """Spikes and states of a run from rest, and all gradients."""
    for neuron in net.modules():
        if isinstance(neuron, snn.SpikingNeuron):
            neuron._clear_states()
    x = x.detach().requires_grad_()
    out = run(x)
    neurons = [m for m in net.modules() if isinstance(m, snn.SpikingNeuron)]
    states = [getattr(m, name) for m in neurons for name in m.STATES]
    loss = (out * torch.linspace(-1, 1, out.numel()).view(out.shape)).sum()
    loss = loss + sum((s * torch.linspace(-1, 1, s.numel()).view(s.shape)).sum() for s in states)
    grads = torch.autograd.grad(loss, [x, *net.parameters()])
    return out, states, grads


def check(net, x):
    fused = snn.fuse(net)
    ours, theirs = outcome(fused, net, x), outcome(lambda x: apart(net, x), net, x)
    assert fused.apart == {}
    assert type(ours[0]) is SpikeTensor and 0 < ours[0].density() < 1
    assert torch.equal(ours[0].words, theirs[0].words)
    for a, b in zip(ours[1], theirs[1], strict=True):
        assert torch.equal(a, b)
    for a, b in zip(ours[2], theirs[2], strict=True):
        assert a.shape == b.shape and error(a, b) < 1e-5


NETWORKS = {
    "three layers": lambda: nn.Sequential(
        nn.Linear(70, 64), lif(), nn.Linear(64, 50, bias=False), lif(), nn.Linear(50, 10), lif()
    ),
    "other neurons": lambda: nn.Sequential(
        nn.Linear(70, 30),
        lif(snn.Synaptic, reset_mechanism="zero", spike_grad=snn.surrogate.fast_sigmoid()),
        nn.Linear(30, 20),
        lif(reset_delay=False, reset_mechanism="subtract"),
    ),
    "learned constants": lambda: nn.Sequential(
        nn.Linear(70, 30),
        lif(beta=torch.linspace(0.5, 0.95, 30), learn_beta=True, learn_threshold=True),
        nn.Linear(30, 20),
        lif(learn_beta=True, threshold=torch.linspace(0.5, 1, 20)),
    ),
    "nested, with what does nothing": lambda: nn.Sequential(
        nn.Sequential(nn.Linear(70, 30), lif()), nn.Identity(), nn.Linear(30, 5), lif()
    ),
}
