"""What the usual tricks are worth: a network of spiking neurons, with one of them at a time.

A plain recipe teaches a network of three hidden layers the digits, for a few epochs. Each row
changes one thing of it, and is trained from several seeds. It prints the table of docs/tricks.md.

    python examples/tricks.py            some minutes
    python examples/tricks.py --help     the options
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import bitspike as snn
from bitspike import functional as SF
from bitspike import spikegen, surrogate, tasks, utils
from training import options

STEPS, HIDDEN, CLASSES, BATCH = 20, 100, 10, 96


def membranes(net: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the mean membrane of the readout."""
    return F.cross_entropy(4 * net(x).mean(0), labels)


@dataclass(frozen=True)
class Recipe:
    """How a network is made and taught."""

    neuron: dict[str, Any] = field(default_factory=dict)
    """Arguments of hidden neurons."""
    between: Callable[[], nn.Module] | None = None
    """A layer between weights and neurons."""
    behind: Callable[[], nn.Module] | None = None
    """A layer behind the neurons."""
    residual: bool = False
    """Whether the two inner hidden layers have a way around them."""
    start: Callable[[nn.Sequential, Tensor], Any] = lambda net, x: None
    """Writes the first weights, on some input."""
    encode: Callable[[Tensor], Tensor] = lambda x: spikegen.rate(x, STEPS, packed=True)
    """Images ``[B, 64]`` to ``[T, B, 64]``."""
    loss: Callable[[nn.Module, Tensor, Tensor], Tensor] = membranes
    """Of the network, its input and labels."""
    spiking: bool = False
    """Whether the output neurons fire."""
    price: float = 0.0
    """Of hidden spikes."""
    clip: float = float("inf")
    """The largest norm of a gradient."""
    cosine: bool = False
    """Whether the step size falls to zero."""


def fluctuating(net: nn.Sequential, x: Tensor) -> None:
    """Weights by the fluctuations of membranes; how often hidden layers fire is a guess."""
    layers = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    for i, layer in enumerate(layers[:-1]):
        rate = float(x.mean()) if i == 0 else 0.1
        snn.init.fluctuation_driven_(layer.weight, rate, beta=0.9, distance=1.0)
        nn.init.zeros_(layer.bias)


def counts(net: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the spike counts of output neurons."""
    return SF.ce_count_loss()(net(x), labels)


def each_step(net: nn.Module, x: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of the membrane at each step."""
    return SF.tet_loss()(4 * net(x), labels)


BASE = Recipe()
TRICKS = {
    "the plain recipe": BASE,
    "`init.threshold_aware_`, rate 0.2": Recipe(
        start=lambda net, x: snn.init.threshold_aware_(net, x, rate=0.2)
    ),
    "`init.fluctuation_driven_`, ξ = 1": Recipe(start=fluctuating),
    "`tdBN` between weights and neurons": Recipe(between=lambda: snn.tdBN(HIDDEN, threshold=1.0)),
    "`Residual` around inner layers": Recipe(residual=True),
    "images as a current": Recipe(encode=lambda x: x.expand(STEPS, *x.shape)),
    "learned decays and thresholds": Recipe({"learn_beta": True, "learn_threshold": True}),
    "reset to zero": Recipe({"reset_mechanism": "zero"}),
    "gradients through the reset": Recipe({"detach_reset": False}),
    "narrow surrogate: `fast_sigmoid(25)`": Recipe({"spike_grad": surrogate.fast_sigmoid()}),
    "wide surrogate: `triangle(2)`": Recipe({"spike_grad": surrogate.triangle(width=2.0)}),
    "`TimeDropout(0.2)` behind neurons": Recipe(
        behind=lambda: snn.TimeDropout(0.2, multi_step=True)
    ),
    "spike counts as output": Recipe(loss=counts, spiking=True),
    "a loss at each step (TET)": Recipe(loss=each_step),
    "a price on hidden spikes": Recipe(price=3.0),
    "gradients clipped at norm 1": Recipe(clip=1.0),
    "cosine schedule of the step size": Recipe(cosine=True),
}
TOGETHER = {
    "`tdBN` and `Residual` together": replace(
        TRICKS["`tdBN` between weights and neurons"], residual=True
    ),
    "threshold-aware, TET and cosine together": replace(
        TRICKS["`init.threshold_aware_`, rate 0.2"], loss=each_step, cosine=True
    ),
}


def main() -> None:
    """Trains with each trick, from several seeds."""
    arguments = options(__doc__)
    seeds = range(1) if arguments.short else range(arguments.seed, arguments.seed + 5)
    print("| Recipe | After 2 epochs | After 10 epochs | Hidden spikes per neuron |")
    print("|---|---|---|---|")
    for name, recipe in {**TRICKS, **TOGETHER}.items():
        found = torch.tensor([learn(recipe, seed, arguments.short) for seed in seeds])
        early, late, fired = found.mean(0).tolist()
        lowest, highest = found[:, 1].amin(), found[:, 1].amax()
        print(
            f"| {name} | {early:.1%} | {late:.1%} ({lowest:.1%}-{highest:.1%}) | {fired:.1f} |",
            flush=True,
        )


def network(recipe: Recipe) -> nn.Sequential:
    """64-100-100-100-10."""
    common = {"beta": 0.9, "init_hidden": True, "multi_step": True}

    def block(inputs: int) -> list[nn.Module]:
        parts: list[nn.Module] = [nn.Linear(inputs, HIDDEN)]
        parts += [recipe.between()] if recipe.between else []
        parts.append(snn.Leaky(**common, **recipe.neuron))
        return parts + ([recipe.behind()] if recipe.behind else [])

    inner = [nn.Sequential(*block(HIDDEN)) for _ in range(2)]
    if recipe.residual:
        inner = [snn.Residual(part) for part in inner]
    output = snn.Leaky(**common) if recipe.spiking else snn.LI(**common)
    return nn.Sequential(*block(64), *inner, nn.Linear(HIDDEN, CLASSES), output)


def learn(recipe: Recipe, seed: int, short: bool) -> tuple[float, float, float]:
    """Accuracy in the test after 2 epochs and at the end, and spikes of a hidden neuron."""
    torch.manual_seed(seed)
    task = tasks.digits()
    images, labels = task.train.tensors
    images = images.flatten(1)[: 200 if short else None]
    epochs = 2 if short else 10
    net = network(recipe)
    recipe.start(net, recipe.encode(images[:200]))
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    accuracies = []
    with Hidden(net) as hidden:
        for _ in range(epochs):
            for index in torch.randperm(len(images)).split(BATCH):
                utils.reset(net)
                optimizer.zero_grad()
                cost = recipe.loss(net, recipe.encode(images[index]), labels[index])
                rates = torch.stack([spikes.mean() for spikes in hidden.take()])
                (cost + recipe.price * rates.mean()).backward()
                nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
                optimizer.step()
            if recipe.cosine:
                schedule.step()
            accuracies.append(accuracy(net, recipe, task))
            spikes = hidden.take()
        fired = torch.stack([layer.sum(0).mean() for layer in spikes]).mean()
    return accuracies[1], accuracies[-1], float(fired)


class Hidden:
    """Within it, what hidden neurons fire is kept."""

    def __init__(self, net: nn.Sequential) -> None:
        self.net = net
        self.spikes: list[Tensor] = []

    def __enter__(self) -> "Hidden":
        neurons = [m for m in self.net.modules() if isinstance(m, snn.SpikingNeuron)]
        self.handles = [
            neuron.register_forward_hook(lambda _, args, spikes: self.spikes.append(spikes))
            for neuron in neurons[:3]
        ]
        return self

    def take(self) -> list[Tensor]:
        """The spikes of the last run."""
        spikes, self.spikes = self.spikes, []
        return spikes

    def __exit__(self, *error: object) -> None:
        for handle in self.handles:
            handle.remove()


@torch.no_grad()
def accuracy(net: nn.Sequential, recipe: Recipe, task: tasks.Task) -> float:
    """The share of the test that is told."""
    images, labels = task.test.tensors
    net.eval()
    utils.reset(net)
    answers = net(recipe.encode(images.flatten(1))).mean(0).argmax(1)
    net.train()
    return float((answers == labels).float().mean())


if __name__ == "__main__":
    main()
