"""Runs that the tests of gated neurons share."""

import copy
import pickle

import torch

from helpers.compare import dense


def step_by_step(neuron, x, *states):
    """A sequence through single-step calls: spikes and states over time."""
    results = []
    for current in x.unbind(0):
        result = neuron(current, *states)
        states = result[1:]
        results.append([dense(value) for value in result])
    return [torch.stack(values) for values in zip(*results, strict=True)]


def gradients(neuron, run, x, *states):
    """Gradients of the input, the initial states and all parameters, by name."""
    leaves = [y.detach().clone().requires_grad_() for y in (x, *states)]
    neuron.zero_grad()
    results = run(*leaves)
    generator = torch.Generator().manual_seed(5)
    loss = 0.0
    for value in results:
        weights = torch.randn(value.shape, generator=generator, dtype=torch.float32)
        loss = loss + (value * weights.to(value.dtype)).sum()
    loss.backward()
    named = {f"input {i}": leaf.grad for i, leaf in enumerate(leaves)}
    return named | {name: p.grad.clone() for name, p in neuron.named_parameters()}


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda neuron: pickle.loads(pickle.dumps(neuron)),
}
