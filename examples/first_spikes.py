"""Who fires first? Two layers of neurons that each fire once, trained by the times of their spikes.

A point of the Yin-Yang figure (Kriener, Göltz and Petrovici 2022) is five spikes: its coordinates,
these from the other side, and one that is always there. Three neurons race for the class: yin, yang
or one of the dots. There are no time steps and no surrogates: times are found to the last bits, and
their gradients are exact.

    python examples/first_spikes.py --out docs/images     about a minute
    python examples/first_spikes.py --short               a few seconds, to try it
"""

import math
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter
from torch import Tensor, nn
from tqdm import trange

from bitspike.learning.exact import FirstSpikeLoss, TTFSLinear
from drawing import BLUE, GREEN, ORANGE, figure, save, tidy
from training import options

TAU = 1.0
EARLY, LATE = 0.15, 2.0  # of the input spikes
UNTIL = 8.0
HIDDEN = 120
BATCH, EPOCHS, SAMPLES = 150, 60, 5000
CLASSES = {"yin": BLUE, "yang": ORANGE, "dot": GREEN}


class Points(NamedTuple):
    """Points of the unit square, and which part of the figure each lies in."""

    x: Tensor
    labels: Tensor


def part(x: Tensor) -> Tensor:
    """0 in yin, 1 in yang, 2 in the dots."""
    right = (x - torch.tensor([0.75, 0.5])).norm(dim=-1)
    left = (x - torch.tensor([0.25, 0.5])).norm(dim=-1)
    dots = (right < 0.1) | (left < 0.1)
    yin = (left <= 0.25) | ((x[..., 1] > 0.5) & (right > 0.25))
    return torch.where(dots, 2, torch.where(yin, 0, 1))


def points(samples: int) -> Points:
    """As many of each part."""
    x = torch.rand(60 * samples, 2)
    x = x[(x - 0.5).norm(dim=1) <= 0.5]
    labels = part(x)
    each = [x[labels == c][: samples // 3] for c in range(3)]
    return Points(torch.cat(each), torch.arange(3).repeat_interleave(samples // 3))


def spike_times(x: Tensor) -> Tensor:
    """Five spikes for each point."""
    both = torch.cat([x, 1 - x], -1)
    always = torch.full_like(both[..., :1], 0.9)
    return torch.cat([EARLY + (LATE - EARLY) * both, always], -1)


def network() -> nn.Sequential:
    """Two layers; the time constants are equal."""
    constants = {"tau_mem": TAU, "tau_syn": TAU, "until": UNTIL}
    return nn.Sequential(TTFSLinear(5, HIDDEN, **constants), TTFSLinear(HIDDEN, 3, **constants))


def main() -> None:
    """Trains the network and draws when its three neurons fire, all over the figure."""
    arguments = options(__doc__)
    samples, epochs = (300, 2) if arguments.short else (SAMPLES, EPOCHS)
    train, test = points(samples), points(min(samples, 1000))
    net, loss = network(), FirstSpikeLoss(0.2 * TAU, TAU, until=UNTIL, alpha=0.005)
    optimizer = torch.optim.Adam(net.parameters(), 5e-3)
    steps = epochs * math.ceil(len(train.x) / BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    found = []
    for _ in trange(epochs, desc="first spikes"):
        for batch in torch.randperm(len(train.x)).split(BATCH):
            optimizer.zero_grad()
            hidden = net[0](spike_times(train.x[batch]))
            times = net[1](hidden)
            loss(times, train.labels[batch]).backward()
            optimizer.step()
            net[0].rouse(hidden, at_least=0.3, by=0.05)  # what is silent has no gradient
            net[1].rouse(times, at_least=0.85, by=0.05)
            schedule.step()
        with torch.no_grad():
            first = net(spike_times(test.x)).argmin(1)
        found.append((first == test.labels).float().mean().item())
    print(f"{found[-1]:.1%} of the test are told apart")

    drawn = figure(11.0, 3.4)
    axes = drawn.subplots(1, 4, width_ratios=[1, 1, 1, 1.15])
    x = (torch.arange(100) + 0.5) / 100
    grid = torch.stack(torch.meshgrid(x, x, indexing="xy"), -1)
    inside = (grid - 0.5).norm(dim=-1) <= 0.5
    with torch.no_grad():
        times = net(spike_times(grid.view(-1, 2))).view(100, 100, 3)
    times = torch.where(inside[..., None], times, math.nan).clamp(max=3.5)
    for c, (name, colour) in enumerate(CLASSES.items()):
        show(axes[c], times[..., c], f"neuron of {name}", colour)
    drawn.colorbar(axes[2].images[0], ax=axes[:3], label="fires after (τ)", shrink=0.8)
    tidy(axes[3], f"told apart: {found[-1]:.1%}", "", "epoch")
    axes[3].plot(range(1, len(found) + 1), found, color=BLUE)
    axes[3].yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes[3].grid(axis="y", alpha=0.25)
    save(drawn, arguments.out / "first_spikes.png")


def show(ax: Axes, times: Tensor, name: str, colour: str) -> None:
    """When a neuron fires, over the plane, and the border of its part."""
    ax.imshow(times, origin="lower", extent=(0, 1, 0, 1), cmap="magma_r", vmin=0.8, vmax=3.5)
    x = (torch.arange(300) + 0.5) / 300
    own = part(torch.stack(torch.meshgrid(x, x, indexing="xy"), -1)) == list(CLASSES).index(
        name.split()[-1]
    )
    ax.contour(x, x, own, levels=[0.5], colors=colour, linewidths=1.6)
    tidy(ax, name)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)


if __name__ == "__main__":
    main()
