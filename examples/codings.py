"""The three codings side by side: one digit as rate, latency and delta code, and what is learnt.

A pixel becomes a spike train in three ways: bright pixels fire often (rate), bright pixels fire
early and once (latency), or pixels fire where the picture, which moves to and fro, becomes brighter
(delta modulation). The same network learns the digits from each.

    python examples/codings.py            half a minute; writes demo/codings.png
    python examples/codings.py --help     the options
"""

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn

import bitspike as snn
from bitspike import decode, spikegen, tasks
from bitspike import functional as SF
from codes import STEPS, latency, rate
from drawing import BLUE, GREEN, ORANGE, figure, save, tidy
from training import Encode, History, fit, options

REACH = 4  # pixels, to which side the digit moves
COLOURS = {"rate": BLUE, "latency": ORANGE, "delta": GREEN}


def main() -> None:
    """Trains the network on each code, and draws the codes of one digit."""
    arguments = options(__doc__)
    task = tasks.mnist_5k(limit=300 if arguments.short else None, seed=arguments.seed)
    results = {name: learn(name, code, task, arguments.short) for name, code in CODES.items()}
    digit = task.test.tensors[0][4:5]
    save(draw(digit, results), arguments.out / "codings.png")
    print(f"{'code':10}{'test accuracy':>14}{'input spikes per digit':>25}")
    for name, (history, spikes) in results.items():
        print(f"{name:10}{history.accuracy[-1]:>14.1%}{spikes:>25.0f}")


def delta(images: Tensor) -> Tensor:
    """A pixel fires when it becomes brighter, while the digit moves to and fro."""
    film = torch.stack([images.roll(place, -1) for place in places()])
    return spikegen.delta(film.flatten(2), threshold=0.3, padding=True, packed=True)


CODES: dict[str, Encode] = {"rate": rate, "latency": latency, "delta": delta}


def places() -> list[int]:
    """How far the digit is to the right at each step: a triangle wave."""
    return [abs((step + REACH) % (4 * REACH) - 2 * REACH) - REACH for step in range(STEPS)]


def learn(name: str, code: Encode, task: tasks.Task, short: bool) -> tuple[History, float]:
    """Trains on a code; returns how that went, and the spikes of an average digit."""
    net = nn.Sequential(
        nn.Linear(784, 256),
        snn.Leaky(beta=0.9, init_hidden=True, multi_step=True),
        nn.Linear(256, 10),
        snn.Leaky(beta=0.9, init_hidden=True, multi_step=True),
    )
    history = fit(
        net,
        task.train,
        task.test,
        encode=code,
        loss=SF.mse_count_loss(correct_rate=0.8, incorrect_rate=0.1),
        decide=decode.rate,
        epochs=1 if short else 10,
        name=f"{name:8}",
    )
    images = task.test.tensors[0]
    return history, float(code(images).sum()) / len(images)


def draw(digit: Tensor, results: dict[str, tuple[History, float]]) -> Figure:
    """A column per code: its spikes, how many there are at each step, and what they tell."""
    brightness = digit.flatten()
    column_of = torch.arange(784) % 28
    views = {
        "rate": ("darkest to brightest", brightness, "spikes of each pixel", counts),
        "latency": ("darkest to brightest", brightness, "how early each pixel fires", earliness),
        "delta": ("from left to right", column_of, "spikes of each pixel", counts),
    }
    page = figure(12, 8.5)
    axes = page.subplots(3, 3, height_ratios=(3, 1, 2))
    for column, (name, (order, key, title, picture)) in zip(axes.T, views.items(), strict=True):
        spikes, (history, _) = CODES[name](digit).dense().squeeze(1), results[name]
        raster(column[0], spikes, key, COLOURS[name])
        found = f"{name}: {int(spikes.sum())} spikes, {history.accuracy[-1]:.1%} of digits learnt"
        tidy(column[0], found, f"pixels, {order}")
        column[1].bar(range(STEPS), spikes.sum(1), color=COLOURS[name], width=0.8)
        column[1].set_xlim(-0.6, STEPS - 0.4)
        tidy(column[1], "", "spikes", "step")
        column[2].imshow(picture(spikes).view(28, 28), cmap="gray_r")
        column[2].set_axis_off()
        column[2].set_title(title, fontsize=10)
    return page


def raster(ax: Axes, spikes: Tensor, key: Tensor, colour: str) -> None:
    """The spikes ``[T, N]`` of those pixels that ever fire, in ascending order of ``key [N]``."""
    order = key.argsort(stable=True)
    order = order[spikes.sum(0)[order] > 0]
    step, pixel = spikes[:, order].nonzero(as_tuple=True)
    ax.scatter(step, pixel, s=3, color=colour, marker="s", linewidths=0)
    ax.set_xlim(-0.6, STEPS - 0.4)


def counts(spikes: Tensor) -> Tensor:
    """How often each pixel fires."""
    return spikes.sum(0)


def earliness(spikes: Tensor) -> Tensor:
    """Steps from the first spike of a pixel to the end; 0 if there is none."""
    return (spikes.cumsum(0) > 0).sum(0)


if __name__ == "__main__":
    main()
