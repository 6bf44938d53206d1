"""How few spikes does a network need? Accuracy against a price on the spikes of its hidden layer.

Spikes cost energy, so training may put a price λ on them. ``upper_population`` charges the spikes
of the layer, ``upper_neuron`` the square of each neuron's, which meets the busy ones. Too low a
price saves nothing; too high a price silences neurons, unless ``lower_neuron`` charges those that
fall short of a wanted count. Two networks of the same size answer, one with a rate code and one in
which the first output spike decides; with these, MNIST digits are learned once for each price.

    python examples/activity.py --out docs/images     about a minute
    python examples/activity.py --short               a few seconds, to try it
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from bitspike import functional as SF
from bitspike import tasks, utils
from codes import CODES, HIDDEN, STEPS, Observed
from drawing import BLUE, GREEN, GREY, LINE, VIOLET, figure, save, shares, tidy
from training import fit, options

PRICES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
# How much accuracy the spikes that are saved may cost.
TOLERATED_LOSS = 0.02

Price = Callable[[Tensor], Tensor]


def population(price: float) -> Price:
    """Every spike costs the same; λ is the price of one spike of every neuron."""
    return SF.upper_population(theta=0, lam=price / HIDDEN)


def neuron(price: float) -> Price:
    """The second spike of a neuron costs three times as much as the first."""
    return SF.upper_neuron(theta=0, lam=price)


def both_sides(price: float) -> Price:
    """Every spike has its price, and so has every neuron that fires less than half a time."""
    above, below = population(price), SF.lower_neuron(theta=0.5, lam=2 * price)
    return lambda spikes: above(spikes) + below(spikes)


PENALTIES = {
    "upper_population": (population, BLUE),
    "upper_neuron": (neuron, VIOLET),
    "upper_population + lower_neuron": (both_sides, GREEN),
}


class Outcome(NamedTuple):
    """What a network is like after training at some price."""

    price: float
    accuracy: float
    spikes: float
    """Of an average hidden neuron for one digit."""
    silent: float
    """Share of hidden neurons that fire for no digit."""


Priced = dict[tuple[str, str], list[Outcome]]


def main() -> None:
    """Trains one network for every code, penalty and price, and shows what came out."""
    arguments = options(__doc__)
    task = tasks.mnist_5k(limit=400 if arguments.short else None)
    prices = PRICES[-2:] if arguments.short else PRICES
    free, priced = {}, {}
    for code in CODES:
        torch.manual_seed(arguments.seed)
        free[code] = train(code, task, arguments.short)
        for name, (penalty, _) in PENALTIES.items():
            priced[code, name] = []
            for price in prices:
                torch.manual_seed(arguments.seed)
                outcome = train(code, task, arguments.short, penalty, price)
                priced[code, name].append(outcome)
    save(draw(free, priced), arguments.out / "activity.png")
    report(free, priced)


def train(
    code: str,
    task: tasks.Task,
    short: bool,
    penalty: Callable[[float], Price] = population,
    price: float = 0.0,
) -> Outcome:
    """Trains a network on the digits, and counts the spikes with which it answers the test."""
    net, parts, cost = Observed(), CODES[code], penalty(price)
    history = fit(
        net,
        task.train,
        task.test,
        encode=parts.encode,
        loss=lambda spikes, labels: parts.loss(spikes[1], labels) + cost(spikes[0]),
        decide=lambda spikes: parts.decide(spikes[1]),
        epochs=1 if short else parts.epochs,
        name=f"{code}, {penalty.__name__}, λ {price:g}",
        learning_rate=5e-3,
    )
    utils.reset(net)
    with torch.no_grad():
        hidden, _ = net(parts.encode(task.test.tensors[0]))
    silent = (hidden.sum((0, 1)) == 0).float().mean().item()
    return Outcome(price, history.accuracy[-1], hidden.density() * STEPS, silent)


def draw(free: dict[str, Outcome], priced: Priced) -> Figure:
    """Accuracy and spikes against the price, a column per code; then one against the other."""
    page = figure(13, 6)
    grid = page.add_gridspec(2, 3, width_ratios=(1, 1, 1.25))
    shared: list[Axes | None] = [None, None]
    for column, code in enumerate(CODES):
        for row, (value, title) in enumerate(
            (("accuracy", f"{code} code: accuracy"), ("spikes", "spikes per hidden neuron"))
        ):
            ax = page.add_subplot(grid[row, column], sharey=shared[row])
            shared[row] = ax
            against_price(ax, value, code, free[code], priced)
            tidy(ax, title, xlabel="price λ" if row else "")
    accuracies, spikes = shared
    shares(accuracies)
    spikes.set_yscale("log")
    spikes.yaxis.set_major_formatter("{x:g}")

    trade_off(page.add_subplot(grid[:, 2]), free, priced)
    handles, labels = accuracies.get_legend_handles_labels()
    page.legend(handles, labels, loc="outside upper center", ncols=4, frameon=False)
    return page


def trade_off(ax: Axes, free: dict[str, Outcome], priced: Priced) -> None:
    """Accuracy against spikes, a line for every code and penalty."""
    styles = {"rate": {"marker": "o"}, "latency": {"marker": "s", "linestyle": "--"}}
    for (code, name), outcomes in priced.items():
        line = [free[code], *outcomes]
        spikes, accuracy = [o.spikes for o in line], [o.accuracy for o in line]
        ax.plot(spikes, accuracy, color=PENALTIES[name][1], **LINE | styles[code])
    for code, style in styles.items():
        ax.plot([], [], color=GREY, label=f"{code} code", **LINE | style)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    shares(ax)
    ax.legend(frameon=False, loc="lower right")
    tidy(ax, "what a spike buys", "accuracy", "spikes per hidden neuron")


def against_price(ax: Axes, value: str, code: str, free: Outcome, priced: Priced) -> None:
    """One line per penalty, and where all begin."""
    start = getattr(free, value)
    ax.axhline(start, color=GREY, linestyle=":", linewidth=1.4, label="without a price")
    for name, (_, colour) in PENALTIES.items():
        outcomes = priced[code, name]
        prices = [outcome.price for outcome in outcomes]
        ax.plot(prices, [getattr(o, value) for o in outcomes], color=colour, label=name, **LINE)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.grid(axis="y", alpha=0.25)


def report(free: dict[str, Outcome], priced: Priced) -> None:
    """Prints how few spikes are enough, and what the highest price does."""
    print(f"{'':40}{'fewest spikes per neuron':>26}{'at the highest price':>34}")
    print(f"{'code, penalty':40}{'at 2 points lost or less':>26}", end="")
    print(f"{'accuracy':>12}{'spikes':>10}{'silent':>12}")
    for code, start in free.items():
        row = f"{start.spikes:26.2f}{start.accuracy:12.1%}{start.spikes:10.2f}{start.silent:12.0%}"
        print(f"{code + ', without a price':40}{row}")
        for name in PENALTIES:
            outcomes = priced[code, name]
            enough = [o.spikes for o in outcomes if o.accuracy >= start.accuracy - TOLERATED_LOSS]
            last = outcomes[-1]
            row = f"{min(enough, default=start.spikes):26.2f}{last.accuracy:12.1%}"
            print(f"{f'{code}, {name}':40}{row}{last.spikes:10.2f}{last.silent:12.0%}")


if __name__ == "__main__":
    main()
