"""The pictures of docs/five_minutes.md and of the course, docs/course.

Each shows one thing that its page explains; with names, only those are drawn.

    python examples/course.py --out docs/images       half a minute
    python examples/course.py losses codings          two of them
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

import bitspike as snn
import course_networks as networks
from bitspike import functional as SF
from bitspike import init, spikegen, surrogate
from drawing import BLUE, GREEN, GREY, LINE, ORANGE, figure, save, tidy


def main() -> None:
    """Draws the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(PICTURES), help="by default all")
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the pictures")
    arguments = parser.parse_args()
    for name in arguments.names:
        torch.manual_seed(0)
        file = name if name == "five_minutes" else f"course_{name}"
        save(PICTURES[name](), arguments.out / f"{file}.png")


def five_minutes() -> Figure:
    """What the program of the page draws."""
    drawn = networks.run_five_minutes()["figure"]
    assert isinstance(drawn, Figure)
    return drawn


def codings() -> Figure:
    """Nine values as rate and latency code, and a wave as delta code."""
    values, steps = torch.linspace(0.1, 0.9, 9), 50
    page = figure(11, 3.2)
    rate, latency, delta = page.subplots(1, 3)
    dashes(rate, spikegen.rate(values, num_steps=steps), BLUE)
    tidy(rate, "rate", "value", "step")
    once = spikegen.latency(values, num_steps=steps, normalize=True, linear=True)
    dashes(latency, once, BLUE)
    tidy(latency, "latency", "", "step")
    for ax in (rate, latency):
        ax.set_yticks(range(9), [f"{value:.1f}" for value in values.tolist()])
    wave = 0.5 + 0.4 * torch.sin(torch.arange(steps) / 6)
    changes = spikegen.delta(wave.unsqueeze(1), threshold=0.04, padding=True, off_spike=True)
    delta.plot(wave, color=GREY, drawstyle="steps-mid")
    for sign, colour in ((1, BLUE), (-1, ORANGE)):
        (fired,) = (changes[:, 0] == sign).nonzero(as_tuple=True)
        delta.scatter(fired, wave[fired], marker="|", s=120, color=colour, zorder=3)
    delta.set_ylim(0, 1)
    tidy(delta, "delta", "value", "step")
    return page


def neurons() -> Figure:
    """Membranes and spikes of four neurons under the same current."""
    current = torch.zeros(160, 1)
    current[10:50] = 0.18
    current[80:140] = 0.26
    kinds = {
        "Leaky": snn.Leaky(beta=0.9, multi_step=True),
        "Synaptic": snn.Synaptic(alpha=0.9, beta=0.8, multi_step=True),
        "ALIF": snn.ALIF(beta=0.9, rho=0.97, beta_a=0.25, multi_step=True),
        "RefractoryLeaky": snn.RefractoryLeaky(beta=0.9, refractory=12, multi_step=True),
    }
    page = figure(11, 5.6)
    top, *axes = page.subplots(5, 1, sharex=True, height_ratios=(1, 2, 2, 2, 2))
    top.plot(current, color=GREY, drawstyle="steps-mid")
    tidy(top, "current", "")
    for ax, (name, neuron) in zip(axes, kinds.items(), strict=True):
        spikes, *states = neuron(0.2 * current if name == "Synaptic" else current)
        threshold = torch.ones(160, 1)
        if name == "ALIF":
            threshold = 1 + 0.25 * states[0]
        ax.plot(states[-1], color=BLUE)
        ax.plot(threshold, color=GREY, linewidth=1, linestyle="--")
        (fired,) = (spikes[:, 0] != 0).nonzero(as_tuple=True)
        ax.scatter(fired, torch.full((len(fired),), 2.2), marker="|", s=80, color=ORANGE)
        ax.set_ylim(-0.1, 2.6)
        tidy(ax, f"{name}: {len(fired)} spikes", "")
    axes[-1].set_xlabel("step")
    return page


def losses() -> Figure:
    """What the gradient of each loss asks of two outputs at each step."""
    steps = 20
    current, label = torch.rand(steps, 1, 2) * torch.tensor([0.6, 0.9]), torch.tensor([0])
    spikes, membranes = snn.Leaky(beta=0.9, multi_step=True)(current)
    spikes = spikes * 1
    kinds: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], Tensor]] = {
        "ce_count_loss": (SF.ce_count_loss(), spikes),
        "mse_count_loss": (SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.1), spikes),
        "ce_rate_loss": (SF.ce_rate_loss(), spikes),
        "ce_max_membrane_loss": (SF.ce_max_membrane_loss(), membranes),
        "ce_temporal_loss": (SF.ce_temporal_loss(), spikes),
    }
    page = figure(11, 5.2)
    axes = page.subplots(5, 2, sharex=True)
    for (name, (loss, recording)), row in zip(kinds.items(), axes, strict=True):
        x = recording.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(x, label).sum(), x)
        asked = -gradient[:, 0] / gradient.abs().max()
        for output, ax in enumerate(row):
            bars(ax, asked[:, output], spikes[:, 0, output])
            tidy(ax, name if output == 0 else "", "")
    for output, ax in enumerate(axes[-1]):
        ax.set_xticks(range(0, steps, 5))
        ax.set_xlabel(f"step, output of class {output}{' (correct)' if output == 0 else ''}")
    return page


def bars(ax: Axes, asked: Tensor, spikes: Tensor) -> None:
    """Upwards for more, downwards for less, with the spikes that were there."""
    colours = [BLUE if value > 0 else ORANGE for value in asked.tolist()]
    ax.bar(range(len(asked)), asked, color=colours, width=0.8)
    (fired,) = spikes.nonzero(as_tuple=True)
    ax.scatter(fired, torch.full((len(fired),), 1.35), marker="|", s=60, color="black")
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_ylim(-1.2, 1.7)
    ax.set_yticks([])


def surrogates() -> Figure:
    """Surrogates of three widths, and the gradient of eight layers with each."""
    kinds = {
        "fast_sigmoid(100)": (surrogate.fast_sigmoid(100), ORANGE),
        "atan(2), the default": (surrogate.atan(), BLUE),
        "triangle(2)": (surrogate.triangle(2.0), GREEN),
    }
    page = figure(11, 3.6)
    left, right = page.subplots(1, 2)
    u = torch.linspace(-2, 2, 401)
    left.plot(u, (u > 0).float(), color=GREY, label="spike")
    for name, (kind, colour) in kinds.items():
        left.plot(u, kind.derivative(u), color=colour, label=name)
        net, x = networks.deep_network(spike_grad=kind)
        init.threshold_aware_(net, x, rate=0.2)
        found = snn.diagnose(net, x)
        norms = [layer.gradient_norm or 0.0 for layer in found]
        right.semilogy(range(1, 9), norms, color=colour, **LINE)
    left.legend(frameon=False)
    tidy(left, "what stands in for the derivative", "", "membrane - threshold")
    tidy(right, "gradient of the weights of each layer", "", "layer; the loss is behind layer 8")
    return page


def dashes(ax: Axes, spikes: Tensor, colour: str) -> None:
    """A dash for each spike of ``[T, N]``."""
    step, neuron = spikes.nonzero(as_tuple=True)
    ax.scatter(step, neuron, marker="|", s=90, color=colour)
    ax.set_xlim(-1, len(spikes))


PICTURES: dict[str, Callable[[], Figure]] = {
    "five_minutes": five_minutes,
    "codings": codings,
    "neurons": neurons,
    "losses": losses,
    "surrogates": surrogates,
    "tricks": networks.tricks,
    "online": networks.online_learning,
    "conversion": networks.conversion,
    "long_memory": networks.long_memory,
    "deployment": networks.deployment,
}


if __name__ == "__main__":
    main()
