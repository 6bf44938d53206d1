"""Which surrogate gradient trains a deep network: the same one with each of them.

A network of four layers learns to tell digits apart. Its spikes have no derivative, and what stands
in for it decides how much of the error reaches the first layer, where all spikes come from. Which
bell it is matters little. That it is one matters: a derivative that is the same everywhere blames
neurons that were far from firing, and one of the wrong sign above threshold teaches nothing.

    python examples/surrogate_training.py            half a minute; a picture in demo/
    python examples/surrogate_training.py --help     the options
"""

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor, nn

import bitspike as snn
from bitspike import decode, surrogate, tasks, utils
from bitspike import functional as SF
from codes import rate
from drawing import BLUE, GREY, ORANGE, figure, save, tidy
from training import History, fit, options

HIDDEN_LAYERS = 3
LOSS = SF.mse_rate_loss(correct_rate=0.8, incorrect_rate=0.1, normalize=True)
SURROGATES = {
    "atan(2)": surrogate.atan(),
    "fast_sigmoid(25)": surrogate.fast_sigmoid(),
    "fast_sigmoid(5)": surrogate.fast_sigmoid(slope=5),
    "sigmoid(25)": surrogate.sigmoid(),
    "sigmoid(4)": surrogate.sigmoid(slope=4),
    "triangle(1)": surrogate.triangle(),
    "triangle(0.1)": surrogate.triangle(width=0.1),
    "gaussian(0.5)": surrogate.gaussian(),
    "boxcar(1)": surrogate.boxcar(),
    "straight_through": surrogate.straight_through_estimator(),
    "triangular": surrogate.triangular(),
}


def main() -> None:
    """Trains once with each surrogate, from the same weights."""
    arguments = options(__doc__)
    task = tasks.mnist_5k(limit=300 if arguments.short else None, seed=arguments.seed)
    histories, gradients = {}, {}
    for name, spike_grad in SURROGATES.items():
        torch.manual_seed(arguments.seed)
        net = network(spike_grad)
        gradients[name] = gradient_norms(net, *task.train[:128])
        histories[name] = learn(net, task, name, 1 if arguments.short else 5)
    save(draw(histories, gradients), arguments.out / "surrogate_training.png")
    print(f"{'surrogate':20}{'accuracy':>9}{'gradient of the first layer / of the last':>45}")
    for name, history in histories.items():
        first, *_, last = gradients[name]
        print(f"{name:20}{history.accuracy[-1]:>9.1%}{first / last:>45.2g}")


def network(spike_grad: surrogate.Surrogate) -> nn.Sequential:
    """784-128-128-128-10 with that surrogate everywhere."""
    sizes = [784, *[128] * HIDDEN_LAYERS, 10]
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        neuron = snn.Leaky(beta=0.9, spike_grad=spike_grad, init_hidden=True, multi_step=True)
        synapses = nn.Linear(inputs, outputs)
        # With the smaller weights that nn.Linear starts from, the last layers would be silent.
        nn.init.kaiming_normal_(synapses.weight)
        layers += [synapses, neuron]
    return nn.Sequential(*layers)


def gradient_norms(net: nn.Sequential, images: Tensor, labels: Tensor) -> list[float]:
    """The norm of the gradient of each layer's weights, before any training."""
    utils.reset(net)
    LOSS(net(rate(images)), labels).backward()
    norms = [float(layer.weight.grad.norm()) for layer in net if isinstance(layer, nn.Linear)]
    net.zero_grad()
    return norms


def learn(net: nn.Sequential, task: tasks.Task, name: str, epochs: int) -> History:
    """Trains for a few epochs: how fast is the question."""
    return fit(
        net,
        task.train,
        task.test,
        encode=rate,
        loss=LOSS,
        decide=decode.rate,
        epochs=epochs,
        name=f"{name:18}",
    )


def draw(histories: dict[str, History], gradients: dict[str, list[float]]) -> Figure:
    """A row per surrogate, the best on top: its accuracy, and how the error reaches the input."""
    names = sorted(histories, key=lambda name: histories[name].accuracy[-1])
    page = figure(12, 4.6)
    best, reach = page.subplots(1, 2, sharey=True)
    bars = best.barh(names, [histories[name].accuracy[-1] for name in names], color=BLUE)
    best.bar_label(bars, fmt="{:.1%}", padding=3)
    best.set_xlim(0, 1.15)
    best.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    tidy(best, f"test accuracy after {len(histories[names[0]].loss)} epochs")
    ratios = [gradients[name][0] / gradients[name][-1] for name in names]
    reach.hlines(names, 1, ratios, color=ORANGE, linewidth=1.5)
    reach.scatter(ratios, names, color=ORANGE)
    reach.axvline(1, color=GREY, linewidth=1)
    reach.set_xscale("log")
    tidy(reach, "gradient of the first weights / of the last, before training")
    return page


if __name__ == "__main__":
    main()
