"""Networks that are trained on a GPU by the code that trains them on the CPU, with its numbers.

A process of its own runs it, with ``TRITON_INTERPRET=1`` where there is no GPU.
"""

import copy
import random
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

import bitspike as snn
from bitspike import functional as SF
from bitspike.program import triton_kernel
from helpers.compare import dense
from helpers.triton import DEVICE, as_on_a_gpu, launches

NEAR = 1e-5
"""How far losses, gradients and parameters may differ, of the largest of each tensor."""
APART = 1e-5
"""No membrane comes so close to threshold that rounding might decide about a spike."""
STEPS, SAMPLES, CLASSES, TRAINED = 6, 3, 4, 3


class Tired(snn.Neuron):
    """A neuron of one's own: firing wears it out, and it recovers."""

    STATES = ("wear", "mem")
    DEFAULTS = {"beta": 0.8, "recovery": 0.6}

    def step(self, current, wear, mem):
        fired = self.mem_reset(mem)
        wear = self.recovery * wear + (1 - self.recovery) * fired
        mem = self.beta * mem * (1 - fired) + current / (1 + wear)
        return self.fire(mem), (wear, mem)


def recurrent(features, is_image, **options):
    shape = {"conv2d_channels": features, "kernel_size": 3} if is_image else {}
    return snn.RLeaky(0.8, **shape or {"linear_features": features}, **options)


NEURONS = (
    lambda features, _, **options: snn.Leaky(0.8, learn_beta=True, learn_threshold=True, **options),
    lambda features, _, **options: snn.Synaptic(0.5, 0.7, reset_mechanism="zero", **options),
    lambda features, _, **options: snn.Leaky(
        0.9, detach_reset=False, spike_grad=snn.surrogate.fast_sigmoid(slope=5), **options
    ),
    lambda features, _, **options: snn.CLIF(0.7, learn_beta=True, **options),
    lambda features, is_image, **options: Tired(
        beta=torch.rand(features, *(1, 1) * is_image), learn_beta=True, **options
    ),
    recurrent,
)
LOSSES = (
    lambda spikes, mem, labels: SF.ce_rate_loss()(spikes, labels),
    lambda spikes, mem, labels: SF.ce_count_loss()(spikes, labels),
    lambda spikes, mem, labels: SF.mse_count_loss(0.8, 0.2)(spikes, labels),
    lambda spikes, mem, labels: SF.ce_max_membrane_loss()(mem, labels),
    lambda spikes, mem, labels: SF.ce_rate_loss()(mem, labels),
    lambda spikes, mem, labels: SF.tet_loss()(mem, labels),
)
OPTIMISERS = (
    lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9),
    lambda parameters: torch.optim.Adam(parameters, 0.01, eps=1e-3),
    lambda parameters: torch.optim.AdamW(parameters, 0.01, eps=1e-3),
    lambda parameters: torch.optim.RMSprop(parameters, 0.01, eps=1e-2),
)


class Task(NamedTuple):
    """What is trained, and how."""

    net: nn.Sequential
    x: torch.Tensor
    labels: torch.Tensor
    whole: bool
    """Whether it runs over all steps at once; otherwise step by step, with hidden states."""
    loss: Callable
    optimiser: Callable


class Trained(NamedTuple):
    """What training has computed, on the CPU."""

    spikes: list[torch.Tensor]
    """Of each neuron in each call."""
    numbers: list[torch.Tensor]
    """The loss and the gradients of each training step, and the parameters behind the last."""


def drawn(seed: int) -> Task:
    """A random task."""
    torch.manual_seed(seed)
    draw = random.Random(seed)
    layers: list[nn.Module] = []
    features = 16
    x = torch.rand(STEPS, SAMPLES, features)
    if seed % 2:
        channels, pool = draw.choice((2, 5)), draw.choice((nn.AvgPool2d, nn.MaxPool2d))
        x = torch.rand(STEPS, SAMPLES, 2, 6, 6)
        neuron = draw.choice(NEURONS)(channels, True, init_hidden=True, threshold=0.4)
        layers = [nn.Conv2d(2, channels, 3, padding=1), neuron, pool(2), nn.Flatten()]
        features = channels * 9
    for _ in range(draw.randrange(2)):
        neuron = draw.choice(NEURONS)(9, False, init_hidden=True, threshold=0.3)
        layers += [nn.Linear(features, 9), neuron]
        features = 9
    last = draw.choice(NEURONS)(CLASSES, False, init_hidden=True, threshold=0.3, output=True)
    net = nn.Sequential(*layers, nn.Linear(features, CLASSES), last)
    labels = torch.randint(CLASSES, (SAMPLES,))
    return Task(net, x, labels, draw.random() < 0.7, draw.choice(LOSSES), draw.choice(OPTIMISERS))


def run(net: nn.Sequential, x: torch.Tensor, whole: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Spikes and membranes of the last layer, over all steps."""
    snn.utils.reset(net)
    if whole:
        spikes, *_, mem = snn.unroll(net, x)
        return spikes, mem
    found = [net(step) for step in x]
    return torch.stack([y[0] for y in found]), torch.stack([y[-1] for y in found])


def train(task: Task, device: str) -> Trained:
    """Some steps of an optimiser."""
    net = copy.deepcopy(task.net).to(device)
    x, labels = task.x.to(device), task.labels.to(device)
    fired, numbers = [], []
    for layer in net:
        if isinstance(layer, snn.SpikingNeuron):
            layer.register_forward_hook(lambda _layer, _x, y: fired.append(y))
    optimiser = task.optimiser(net.parameters())
    for _ in range(TRAINED):
        optimiser.zero_grad()
        loss = task.loss(*run(net, x, task.whole), labels)
        loss.backward()
        numbers += [loss.detach(), *(p.grad.clone() for p in net.parameters())]
        optimiser.step()
    numbers += [p.detach() for p in net.parameters()]
    first = [y[0] if isinstance(y, tuple) else y for y in fired]
    return Trained([dense(y).detach().cpu() for y in first], [y.cpu() for y in numbers])


def fires_alike(task: Task, wanted: Trained) -> bool:
    """Whether thresholds that are a little lower or higher fire the same spikes."""
    for shift in (-APART, APART):
        moved = copy.deepcopy(task)
        with torch.no_grad():
            for layer in moved.net:
                if isinstance(layer, snn.SpikingNeuron):
                    layer.threshold += shift
        pairs = zip(train(moved, "cpu").spikes, wanted.spikes, strict=True)
        if not all(torch.equal(a, b) for a, b in pairs):
            return False
    return True


def networks():
    """Random ones train as on the CPU."""
    compared = with_silent = 0
    for seed in range(24):
        task = drawn(seed)
        wanted = train(task, "cpu")
        if not fires_alike(task, wanted):
            continue
        with as_on_a_gpu(), launches() as names:
            found = train(task, DEVICE)
        of_kernels = [x for x in task.net if isinstance(x, snn.SpikingNeuron)]
        of_kernels = [x for x in of_kernels if task.whole and not isinstance(x, snn.RLeaky)]
        for name in ("forward", "backward"):
            assert names.count(name) == TRAINED * len(of_kernels)
        assert all(torch.equal(a, b) for a, b in zip(found.spikes, wanted.spikes, strict=True))
        for a, b in zip(found.numbers, wanted.numbers, strict=True):
            assert (a - b).abs().max() <= NEAR * b.abs().max().clamp(min=0.01), task.net
        compared += 1
        with_silent += not all(y.count_nonzero() for y in wanted.numbers)
    assert compared >= 20 and with_silent <= 4, "networks that compare little"


def made() -> int:
    """How many kernels there are."""
    kernels = triton_kernel.forward_kernel, triton_kernel.backward_kernel
    return sum(x.cache_info().misses for x in kernels)


def sizes():
    """Other lengths, batches and widths need no other kernels."""
    neuron = snn.Leaky(0.8, learn_beta=True, multi_step=True).to(DEVICE)

    def run(*shape):
        neuron(torch.rand(shape, device=DEVICE))[0].sum().backward()

    with as_on_a_gpu():
        run(5, 2, 3)
        before = made()
        run(9, 2, 3)
        run(70, 3, 3)
        run(5, 1, 70)
        assert made() == before


if __name__ == "__main__":
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # the interpreter's NumPy
    torch.backends.cudnn.allow_tf32 = False  # whose products have ten bits
    networks()
    sizes()
    print(f"Networks train as on the CPU, on {DEVICE}")
