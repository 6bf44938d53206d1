"""Receptive fields that plasticity finds in digits, without labels and without gradients.

A layer of neurons sees digits as spikes. Whoever fires silences the others for a while, and its
synapses from pixels that fired before grow (STDP), at the cost of its others (normalisation);
thresholds rise where a neuron fires often, so that each gets its share. Afterwards every neuron is
given the digit that it fires most for, and new digits are read off from who fires.

    python examples/stdp_digits.py            a minute; writes demo/stdp_digits.png
    python examples/stdp_digits.py --help     the options
"""

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import bitspike as snn
from bitspike import plasticity, spikegen, tasks, utils
from drawing import figure, save
from training import options

STEPS, LOUDNESS, SIDE = 30, 4.0, 10
SHARE = 1 / SIDE**2


def main() -> None:
    """Learns from the training digits once, and draws what each neuron looks for."""
    arguments = options(__doc__)
    task = tasks.mnist_5k(limit=200 if arguments.short else None, seed=arguments.seed)
    torch.manual_seed(arguments.seed)
    net = layer()
    rates = learn(net, task.train.tensors[0])
    counts = [responses(net, part.tensors[0]) for part in (task.train, task.test)]
    prefers = preferences(counts[0], task.train.tensors[1])
    votes = torch.stack([counts[1][:, prefers == digit].sum(1) for digit in range(10)], 1)
    sizes = torch.stack([(prefers == digit).sum() for digit in range(10)]).clamp(min=1)
    right = ((votes / sizes).argmax(1) == task.test.tensors[1]).float().mean().item()
    save(draw(net[0].weight.detach(), prefers, right), arguments.out / "stdp_digits.png")
    print(f"{right:.1%} of new digits are read off right; neurons that never fired: ", end="")
    print(int((rates == 0).sum()))


def layer() -> nn.Sequential:
    """Synapses, and neurons that inhibit each other."""
    neurons = SIDE**2
    fc = nn.Linear(784, neurons, bias=False)
    nn.init.uniform_(fc.weight, 0.4, 0.6)
    lif = snn.RLeaky(
        beta=0.9,
        threshold=15.0,
        linear_features=neurons,
        learn_recurrent=False,
        init_hidden=True,
        multi_step=True,
        reset_mechanism="zero",
        inhibition=snn.KWTA(1),
    )
    nn.init.zeros_(lif.recurrent.bias)
    lif.recurrent.weight.data.copy_(300 * (torch.eye(neurons) - 1))
    return nn.Sequential(fc, lif)


def encode(images: Tensor) -> Tensor:
    """Bright pixels fire often; thin digits are as loud as broad ones."""
    ink = images.flatten(1)
    rates = ink / ink.norm(dim=1, keepdim=True) * LOUDNESS
    return spikegen.rate(rates.clamp(max=1), num_steps=STEPS, packed=True)


@torch.no_grad()
def learn(net: nn.Sequential, images: Tensor) -> Tensor:
    """One digit after the other; returns how often each neuron has fired."""
    fc, lif = net
    stdp = plasticity.STDP(tau_pre=5.0, A_minus=0.0, bound="soft", coincident="pre_first")
    stdp.attach(fc, lif)
    normalise = plasticity.WeightNormalisation(total=40.0).attach(fc)
    thresholds = plasticity.IntrinsicHomeostasis(rate=SHARE / STEPS).attach(lif)
    normalise.step()
    fired = torch.zeros(SIDE**2)
    for i, image in enumerate(images):
        utils.reset(net)
        stdp.reset()
        fired += net(encode(image.unsqueeze(0))).sum((0, 1))
        stdp.step(lr=0.05 * (1 - i / len(images)))
        normalise.step()
        thresholds.step(lr=2.0)
    for rule in (stdp, normalise):
        rule.detach()
    return fired


@torch.no_grad()
def responses(net: nn.Sequential, images: Tensor) -> Tensor:
    """How often each neuron fires for each digit, ``[N, neurons]``."""
    utils.reset(net)
    counts: Tensor = net(encode(images)).sum(0)
    return counts


def preferences(counts: Tensor, labels: Tensor) -> Tensor:
    """The digit for which each neuron fires most."""
    means = [counts[labels == digit].mean(0) for digit in range(10)]
    return torch.stack(means).nan_to_num().argmax(0)


def draw(weight: Tensor, prefers: Tensor, right: float) -> Figure:
    """The synapses of every neuron as a picture, in the order of the digits they stand for."""
    page = figure(8.5, 9)
    page.suptitle(
        f"What {SIDE**2} neurons look for, found without labels or gradients "
        f"({right:.0%} of new digits read off right)",
        fontsize=10.5,
        fontweight="bold",
    )
    order = prefers.argsort(stable=True)
    for ax, neuron in zip(page.subplots(SIDE, SIDE).flat, order.tolist(), strict=True):
        ax.imshow(weight[neuron].view(28, 28), cmap="gray_r")
        ax.set_axis_off()
    return page


if __name__ == "__main__":
    main()
