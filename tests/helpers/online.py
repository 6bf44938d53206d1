"""Networks that learn online, and the gradients to compare theirs with."""

import copy

import torch
from torch import nn

import bitspike as snn
from bitspike import utils
from bitspike.learning import online
from helpers.compare import dense, first

HIDDEN = {"init_hidden": True}
T, B, N, M = 17, 3, 6, 5
EXACT, BROKEN = 1e-10, 1e-3


def spikes(*shape, density=0.5, dtype=torch.float64):
    return (torch.rand(shape) < density).to(dtype)


def task(net, shape=(N,), dtype=torch.float64, density=0.5):
    """An input, and a weight of each output of each step in the loss."""
    x = spikes(T, B, *shape, density=density, dtype=dtype)
    with torch.no_grad():
        outputs = [first(net(step)) for step in x]
    utils.reset(net)
    return x, torch.randn(T, *outputs[0].shape, dtype=dtype)


def lively_task(net, *arguments, **options):
    """The same, at which every layer lives."""
    x, costs = task(net, *arguments, **options)
    expect_life(net, x)
    return x, costs


def gradients(net):
    """The gradients of all parameters, by name; they are taken away."""
    found = {name: x.grad for name, x in net.named_parameters()}
    for x in net.parameters():
        x.grad = None
    return found


def learned(net, rule, x, costs, block=None, within="rule"):
    """The gradients of a learner, step by step or in blocks."""
    learner = online.Learner(net, rule)
    learner.reset()
    if block is None:
        for step, cost in zip(x, costs, strict=True):
            (first(learner(step)) * cost).sum().backward()
    else:
        for steps, cost in zip(x.split(block), costs.split(block), strict=True):
            (first(learner.block(steps, within=within)) * cost).sum().backward()
    return gradients(net)


def bptt(net, x, costs, between=None):
    """The gradients of backpropagation through time; ``between`` runs after each step."""
    utils.reset(net)
    loss = 0
    for step, cost in zip(x, costs, strict=True):
        loss = loss + (first(net(step)) * cost).sum()
        if between is not None:
            between(net)
    loss.backward()
    return gradients(net)


def difference(found, wanted):
    """The largest, over all parameters, relative to each one's largest gradient."""
    assert found.keys() == wanted.keys()
    return max(
        ((found[name] - x).abs().max() / x.abs().max().clamp(min=1e-30)).item()
        for name, x in wanted.items()
    )


def expect_life(net, x):
    """Every layer of neurons that fire does so, is silent, and is near the threshold."""
    seen, slopes = {}, {}
    lively = {
        name: module
        for name, module in net.named_modules()
        if isinstance(module, snn.SpikingNeuron) and not isinstance(module, snn.LI)
    }
    handles = [
        module.register_forward_hook(
            lambda _, __, result, name=name: seen.setdefault(name, []).append(dense(first(result)))
        )
        for name, module in lively.items()
    ]
    utils.reset(net)
    with torch.no_grad():
        for step in x:
            net(step)
            for name, module in lively.items():
                level = module.level(*module._kept())
                slope = module.spike_grad.derivative(level - module.threshold)
                slopes[name] = max(slopes.get(name, 0.0), slope.max().item())
    for handle in handles:
        handle.remove()
    utils.reset(net)
    for name in lively:
        rate = torch.stack(seen[name]).double().mean().item()
        assert 0.02 < rate < 0.9, f"{name} fires {rate:.1%} of the time"
        assert slopes[name] > 0, f"the surrogate of {name} is 0 everywhere"


def network(neuron, *, head=None, layers=1, dtype=torch.float64, scale=2.5):
    """Linear layers, each with these neurons, and a head."""
    modules, inputs = [], N
    for _ in range(layers):
        modules += [nn.Linear(inputs, M), copy.deepcopy(neuron)]
        inputs = M
    net = nn.Sequential(*modules, *(copy.deepcopy(module) for module in head or ()))
    with torch.no_grad():
        for module in net:
            if isinstance(module, nn.Linear):
                module.weight *= scale
    return net.to(dtype)
