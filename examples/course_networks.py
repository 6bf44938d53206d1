"""The pictures of the pages of the course that are about whole networks."""

import re
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import bitspike as snn
from bitspike import convert, decode, init, quantize
from bitspike.learning import online
from drawing import BLUE, COLOURS, GREEN, GREY, LINE, ORANGE, VIOLET, figure, shares, tidy

FIVE_MINUTES = Path(__file__).parents[1] / "docs" / "five_minutes.md"


def run_five_minutes() -> dict[str, Any]:
    """The variables that the program of docs/five_minutes.md ends with."""
    page = FIVE_MINUTES.read_text(encoding="utf-8")
    (program,) = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    variables: dict[str, Any] = {}
    exec(program, variables)
    return variables


def deep_network(normalised: bool = False, **options: Any) -> tuple[nn.Sequential, Tensor]:
    """Eight layers of 64 neurons, and an input whose neurons fire in a fifth of the steps."""
    torch.manual_seed(0)
    net = nn.Sequential()
    for _ in range(8):
        net.append(nn.Linear(64, 64))
        if normalised:
            net.append(snn.tdBN(64))
        net.append(snn.Leaky(beta=0.9, init_hidden=True, **options))
    return net, (torch.rand(25, 32, 64) < 0.2).float()


def tricks() -> Figure:
    """The rate of firing of each of eight layers, for four ways to begin."""
    plain, x = deep_network()
    scaled, _ = deep_network()
    init.threshold_aware_(scaled, x, rate=0.1)
    drawn, _ = deep_network()
    for layer in drawn:
        if isinstance(layer, nn.Linear):
            init.fluctuation_driven_(layer.weight, rate=0.1, beta=0.9, distance=1.0)
            nn.init.zeros_(layer.bias)
    normalised, _ = deep_network(normalised=True)
    ways = {
        "weights as PyTorch draws them": (plain, GREY),
        "threshold_aware_, rate 0.1": (scaled, BLUE),
        "fluctuation_driven_, ξ = 1": (drawn, ORANGE),
        "tdBN": (normalised, GREEN),
    }
    page = figure(8, 3.6)
    ax = page.subplots()
    for name, (net, colour) in ways.items():
        rates = [layer.firing_rate or 0.0 for layer in snn.diagnose(net, x)]
        ax.plot(range(1, 9), rates, color=colour, label=name, **LINE)
    shares(ax, 0, 0.4)
    ax.legend(frameon=False, loc="upper right", ncols=2)
    tidy(ax, "steps in which a neuron fires, before training", "", "layer")
    return page


def online_learning() -> Figure:
    """A synapse and its trace, and memory against the number of steps."""
    page = figure(11, 4)
    left, right = page.subfigures(1, 2)
    steps = 60
    x = (torch.rand(steps) < 0.15).float()
    current = (0.25 * x + 0.14).unsqueeze(1).requires_grad_()
    spikes, membrane = snn.Leaky(beta=0.9, multi_step=True)(current)
    trace = torch.zeros(steps)
    for t in range(steps):
        trace[t] = (0.9 * trace[t - 1] if t else 0) + x[t]
    slope = snn.surrogate.atan().derivative(membrane[:, 0] - 1).detach()
    rows = {
        "input spikes": x,
        "trace e": trace,
        "surrogate h": slope,
        "h · e": slope * trace,
    }
    axes = left.subplots(4, 1, sharex=True)
    for ax, (name, values), colour in zip(axes, rows.items(), COLOURS, strict=False):
        ax.bar(range(steps), values, color=colour, width=0.8)
        ax.set_yticks([])
        tidy(ax, name)
    axes[-1].set_xlabel("step")
    lengths = [10, 30, 100, 300, 1000]
    ax = right.subplots()
    kept = torch.tensor([memory(length) for length in lengths]) / 1024
    ax.loglog(lengths, kept[:, 0], color=ORANGE, label="backpropagation through time", **LINE)
    ax.loglog(lengths, kept[:, 1], color=BLUE, label="RTRL: states and traces", **LINE)
    ax.legend(frameon=False)
    tidy(ax, "KiB that are kept for a gradient", "", "steps")
    return page


def memory(steps: int) -> tuple[int, int]:
    """Bytes that autograd saves for a layer over so many steps, and those that a learner keeps."""
    net = nn.Sequential(nn.Linear(256, 256), snn.Leaky(beta=0.9, init_hidden=True))
    x = snn.SpikeTensor.from_dense((torch.rand(steps, 4, 256) < 0.1).float())
    saved: dict[int, int] = {}

    def save(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(save, lambda tensor: tensor):
        snn.unroll(net, x)
    for parameter in net.parameters():
        saved.pop(parameter.untyped_storage().data_ptr(), None)
    snn.utils.reset(net)
    learner = online.Learner(net, online.RTRL())
    learner.block(x)
    return sum(saved.values()), size(learner.state_dict())


def size(values: Any) -> int:
    """Bytes of all tensors in dicts and lists."""
    if isinstance(values, Tensor):
        return values.nbytes
    if isinstance(values, dict):
        values = list(values.values())
    return sum(map(size, values)) if isinstance(values, list | tuple) else 0


@torch.no_grad()
def conversion() -> Figure:
    """A neuron's rate against its current, and weights of four formats."""
    page = figure(11, 3.6)
    left, right = page.subplots(1, 2)
    ann = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    for layer in (ann[0], ann[2]):
        nn.init.ones_(layer.weight)
        nn.init.zeros_(layer.bias)
    x = torch.linspace(-0.5, 1.4, 1000).unsqueeze(1)
    net, _ = convert.ann_to_snn(ann, [x.clamp(max=1)], normalise="max")
    left.plot(x, ann(x), color=GREY, label="ReLU")
    for steps, colour in ((2, VIOLET), (4, ORANGE), (16, BLUE)):
        left.plot(x, net.over_time(x, steps)[-1], color=colour, label=f"{steps} steps")
    left.legend(frameon=False)
    tidy(left, "rate of a neuron, times its threshold of 1", "", "current")
    formats = {
        "4 bits": (quantize.Integer(4), BLUE),
        "2 bits": (quantize.Integer(2), ORANGE),
        "ternary": (quantize.Ternary(), GREEN),
        "binary": (quantize.Binary(), VIOLET),
    }
    weights = torch.randn(1, 500).sort().values
    right.plot(weights[0], weights[0], color=GREY, label="floats")
    for name, (kind, colour) in formats.items():
        layer = quantize.QuantLinear(500, 1, weight_quant=kind)
        layer.weight.copy_(weights)
        rounded = layer.quant_weight()
        right.plot(weights[0], rounded[0], color=colour, drawstyle="steps-mid", label=name)
    right.legend(frameon=False)
    tidy(right, "what 500 weights become", "", "weight")
    return page


@torch.no_grad()
def long_memory() -> Figure:
    """What is left of an input after so many steps."""
    steps = 200
    x = torch.zeros(steps, 1)
    x[0] = 1.0
    looks_back = snn.SlidingPSN(k=101, multi_step=True, threshold=9.0)
    looks_back.weight.copy_(torch.exp(-(((torch.arange(101) - 60) / 8.0) ** 2)))
    kinds = {
        "Leaky, β = 0.9": snn.Leaky(beta=0.9, threshold=9.0, multi_step=True)(x)[-1],
        "Leaky, β = 0.99": snn.Leaky(beta=0.99, threshold=9.0, multi_step=True)(x)[-1],
        "ALIF, ρ = 0.995: threshold": snn.ALIF(
            beta=0.9, rho=0.995, beta_a=0.5, threshold=0.9, multi_step=True
        )(x)[1],
        "SlidingPSN": looks_back(x)[-1],
    }
    page = figure(9, 4.4)
    top, bottom = page.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for (name, left), colour in zip(kinds.items(), COLOURS, strict=False):
        top.plot(left / left.max(), color=colour, label=name, linewidth=1.6)
    top.legend(frameon=False, loc="upper right")
    tidy(top, "what is left of an input at step 0, as a share of its most")
    soma = snn.TCLIF(threshold=9.0, multi_step=True)(x)[-1]
    bottom.plot(soma / soma.max(), color=GREY)
    tidy(bottom, "TCLIF", "", "step")
    return page


def deployment() -> Figure:
    """Counts of one digit over time, and accuracy against the step of the decision."""
    found = run_five_minutes()
    output, labels = found["output"], found["labels"]
    page = figure(11, 3.6)
    left, right = page.subplots(1, 2)
    counts = output[:, 0].dense().cumsum(0)
    for digit in range(10):
        right_one = digit == int(labels[0])
        name = f"output {digit}, correct" if right_one else None
        left.plot(counts[:, digit], color=BLUE if right_one else GREY, label=name)
    left.legend(frameon=False)
    tidy(left, "spikes of ten outputs so far", "", "step")
    left.set_xticks(range(0, 20, 5))
    left.set_yticks(range(0, 20, 5))
    for margin in range(1, 9):
        decision = decode.early_exit(output, margin=margin)
        accuracy = (decision.prediction == labels).float().mean().item()
        step = decision.step.float().mean().item()
        right.plot(step, accuracy, color=BLUE, **LINE)
        right.annotate(f"{margin}", (step, accuracy), (4, -12), textcoords="offset points")
    shares(right, 0.8, 1.0)
    right.set_yticks([0.8, 0.85, 0.9, 0.95, 1.0])
    tidy(right, "right answers, for margins from 1 to 8", "", "mean step of the decision")
    return page
