"""The same network in each library that builds on torch, in the form that is best for it."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import snntorch
import torch
from spikingjelly.activation_based import functional as jelly
from spikingjelly.activation_based import layer as jelly_layer
from torch import Tensor, nn
from torch.nn import functional as F

import bitspike as snn
import leaky
from nets import Start
from peers import Result

# So small that activity stays what it was while steps are timed.
LEARNING_RATE = 1e-6
UNFUSED = "bitspike, unfused"


class Contender(NamedTuple):
    """A network, the function that runs it over a sequence, and the sequence in its own type."""

    net: nn.Module
    run: Callable[[Tensor], Tensor]
    x: Tensor


def bitspike(start: Start, fused: bool = True) -> Contender:
    """The whole sequence on packed spikes: some samples through all layers, or layer by layer."""
    net = nn.Sequential(*start.modules(lambda: leaky.bitspike(start.width)))
    forward = snn.fuse(net) if fused else partial(snn.unroll, net)

    def run(x: Tensor) -> Tensor:
        snn.utils.reset(net)
        return forward(x)

    return Contender(net, run, snn.SpikeTensor.from_dense(start.x, len(start.network.inputs)))


class Step(nn.Module):
    """One step of a network of snnTorch's neurons."""

    def __init__(self, modules: list[nn.Module]) -> None:
        """Takes layers and neurons."""
        super().__init__()
        self.modules_in_order = nn.ModuleList(modules)

    def forward(self, x: Tensor, membranes: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Output spikes and new membranes, one for each neuron."""
        after = []
        for module in self.modules_in_order:
            if isinstance(module, snntorch.Leaky):
                x, membrane = module(x, membranes[len(after)])
                after.append(membrane)
            else:
                x = module(x)
        return x, after

    def rest(self) -> list[Tensor]:
        """Membranes before the first step."""
        neurons = (m for m in self.modules_in_order if isinstance(m, snntorch.Leaky))
        return [neuron.reset_mem() for neuron in neurons]


def snntorch_loop(start: Start, compiled: bool = False) -> Contender:
    """Its own way: the whole network, step by step; ``torch.compile`` may take the step."""
    net = Step(start.modules(lambda: leaky.snntorch_leaky(start.width)))
    step = torch.compile(net) if compiled else net

    def run(x: Tensor) -> Tensor:
        membranes, spikes = net.rest(), []
        for current in x.unbind():
            spike, membranes = step(current, membranes)
            spikes.append(spike)
        return torch.stack(spikes)

    return Contender(net, run, start.x)


def layer_by_layer(start: Start, neuron: Callable[..., nn.Module]) -> Contender:
    """Layers see all steps as one batch; only neurons loop."""
    net = nn.Sequential(*start.modules(lambda: neuron(start.width)))

    def run(x: Tensor) -> Tensor:
        steps = x.shape[:2]
        for module in net:
            if isinstance(module, neuron):
                x = module(x)
            else:
                x = module(x.flatten(0, 1)).unflatten(0, steps)
        return x

    return Contender(net, run, start.x)


def spikingjelly(start: Start, last: bool = False) -> Contender:
    """Multi-step, torch backend; what is not a neuron is wrapped, unless it is a Linear."""
    modules: list[nn.Module] = []
    for module in start.modules(lambda: leaky.spikingjelly(start.width)):
        takes_time = isinstance(module, nn.Linear) or hasattr(module, "step_mode")
        modules.append(module if takes_time else jelly_layer.SeqToANNContainer(module))
    net = nn.Sequential(*modules)
    if last:
        net = net.to(memory_format=torch.channels_last)

    def run(x: Tensor) -> Tensor:
        jelly.reset_net(net)
        return net(x)

    return Contender(net, run, start.x)


def training(contender: Contender, labels: Tensor) -> Callable[[Tensor], None]:
    """One step of Adam, on the cross entropy of spike counts."""
    optimiser = torch.optim.Adam(contender.net.parameters(), lr=LEARNING_RATE)

    def step(x: Tensor) -> None:
        loss = F.cross_entropy(contender.run(x).sum(0), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    return step


def inference(contender: Contender) -> Callable[[Tensor], Tensor]:
    """Spike counts."""
    contender.net.eval()

    @torch.no_grad()
    def step(x: Tensor) -> Tensor:
        return contender.run(x).sum(0)

    return step


def result(contender: Contender, labels: Tensor) -> Result:
    """Output spikes and the gradients of all parameters, to be compared."""
    spikes = contender.run(contender.x)
    loss = F.cross_entropy(spikes.sum(0), labels)
    return Result(spikes, torch.autograd.grad(loss, list(contender.net.parameters())))
