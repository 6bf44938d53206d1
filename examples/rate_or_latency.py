"""Rate or latency? What each code costs, how fast it answers, and how it bears lost spikes.

Two networks of the same size learn MNIST digits. In the first, brightness is a firing rate, and
after all steps the output that fired most is the answer; in the second, every pixel fires at most
once, bright ones early, and the first output spike is the answer. Then spikes get lost, of the
input or of the hidden layer; and decisions are taken early, with the synaptic operations until then
(one per spike and synapse) as what they cost.

    python examples/rate_or_latency.py --out docs/images     about a minute
    python examples/rate_or_latency.py --short               a few seconds, to try it
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from torch import Tensor

from bitspike import decode, spikegen, tasks, utils
from codes import CODES, HIDDEN, STEPS, Observed
from drawing import band, figure, save, shares, tidy
from training import fit, options

SEEDS = 3
LOST = [tenth / 10 for tenth in range(10)]
# A rate code is sure once one count leads by so much, a latency code at the first spike.
MARGINS = {"rate": 2, "latency": None}


class Answers(NamedTuple):
    """What one network says about the test."""

    accuracy: dict[tuple[str, float], float]
    """By where spikes are lost, and their share."""
    spikes: tuple[float, float]
    """Of input and hidden layer, per digit."""
    operations: list[float]
    """Per digit, up to each step."""
    forced: list[float]
    """Accuracy if it has to answer after each step."""
    own: tuple[float, float, float]
    """If it answers once it is sure: after how many steps and operations, and its accuracy."""


def main() -> None:
    """Trains both networks from a few seeds, and shows what they say about the test."""
    arguments = options(__doc__)
    task = tasks.mnist_5k(limit=400 if arguments.short else None)
    answers: dict[str, list[Answers]] = {}
    for code, parts in CODES.items():
        answers[code] = []
        for seed in range(arguments.seed, arguments.seed + (1 if arguments.short else SEEDS)):
            torch.manual_seed(seed)
            net = Observed()
            fit(
                net,
                task.train,
                task.test,
                encode=parts.encode,
                loss=lambda spikes, labels, parts=parts: parts.loss(spikes[1], labels),
                decide=lambda spikes, parts=parts: parts.decide(spikes[1]),
                epochs=1 if arguments.short else parts.epochs,
                name=f"{code}, seed {seed}",
                learning_rate=5e-3,
            )
            answers[code].append(examine(net, code, *task.test.tensors))
    save(draw(answers), arguments.out / "rate_or_latency.png")
    report(answers)


@torch.no_grad()
def examine(net: Observed, code: str, images: Tensor, labels: Tensor) -> Answers:
    """Takes spikes away from a trained network, and decides early."""

    def right(decided: Tensor) -> float:
        return (decided == labels).float().mean().item()

    def output(spikes: Tensor, lost_hidden: float = 0.0) -> Tensor:
        utils.reset(net)
        return net.output(lose(net.hidden(spikes), lost_hidden))

    encoded, decide = CODES[code].encode(images), CODES[code].decide
    accuracy = {}
    for share in LOST:
        accuracy["input", share] = right(decide(output(lose(encoded, share))))
        accuracy["hidden", share] = right(decide(output(encoded, share)))

    utils.reset(net)
    hidden, answer = net(encoded)
    # Operations of each digit up to each step: counts of bits, times the synapses of a spike.
    operations = (encoded.sum(2) * HIDDEN + hidden.sum(2) * answer.shape[2]).cumsum(0)
    forced = [right(decide(answer[:steps])) for steps in range(1, STEPS + 1)]
    own = decode.early_exit(answer, MARGINS[code])
    spent = operations.gather(0, own.step.unsqueeze(0)).mean().item()
    return Answers(
        accuracy,
        spikes=(encoded.sum().item() / len(labels), hidden.sum().item() / len(labels)),
        operations=operations.mean(1).tolist(),
        forced=forced,
        own=(own.step.float().mean().item() + 1, spent, right(own.prediction)),
    )


def lose(spikes: Tensor, share: float) -> Tensor:
    """What is left if each spike is lost with that probability."""
    return spikegen.rate(spikes * (1 - share), time_var_input=True, packed=True)


def draw(answers: dict[str, list[Answers]]) -> Figure:
    """Accuracy against what is lost, and against when and at what cost the answer is given."""
    page = figure(11, 7.4)
    axes = page.subplots(2, 2, sharey=True)
    (lost_input, lost_hidden), (time, cost) = axes
    for code, of_seeds in answers.items():
        colour = CODES[code].colour
        for ax, where in ((lost_input, "input"), (lost_hidden, "hidden")):
            accuracy = [[one.accuracy[where, share] for share in LOST] for one in of_seeds]
            band(ax, LOST, accuracy, colour, f"{code} code")
        forced = [one.forced for one in of_seeds]
        steps, spent, right = mean([one.own for one in of_seeds])
        band(time, range(1, STEPS + 1), forced, colour, f"{code} code")
        band(cost, mean([one.operations for one in of_seeds]), forced, colour, f"{code} code")
        rule = "at the first spike" if MARGINS[code] is None else f"at a lead of {MARGINS[code]}"
        for ax, at in ((time, steps), (cost, spent)):
            style = {"marker": "*", "s": 190, "zorder": 3, "edgecolor": "white"}
            ax.scatter(at, right, color=colour, label=f"decides {rule}", **style)
    tidy(lost_input, "spikes of the input get lost", "accuracy", "share lost")
    tidy(lost_hidden, "spikes of the hidden layer get lost", "", "share lost")
    tidy(time, "if it must answer after so many steps", "accuracy", "steps")
    tidy(cost, "what it costs until then", "", "synaptic operations per digit")
    for ax in (lost_input, lost_hidden):
        ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    time.set_xticks([1, 5, 10, 15, 20])
    cost.set_xscale("log")
    cost.xaxis.set_major_formatter("{x:,.0f}")
    for ax in axes.flat:
        shares(ax)
    lost_input.legend(frameon=False, loc="lower left")
    time.legend(frameon=False, loc="lower right")
    return page


def mean(of_seeds: Sequence[Sequence[float]]) -> list[float]:
    """The mean of each column."""
    return torch.tensor(of_seeds).mean(0).tolist()


def report(answers: dict[str, list[Answers]]) -> None:
    """Prints a row for each code."""
    print(f"{'':9}{'accuracy':>10}{'half of the spikes lost':>27}{'spikes per digit':>20}", end="")
    print(f"{'as soon as it is sure':>32}")
    print(f"{'code':9}{'':10}{'input':>17}{'hidden':>10}{'input':>12}{'hidden':>8}", end="")
    print(f"{'accuracy':>12}{'steps':>8}{'operations':>12}")
    for code, of_seeds in answers.items():
        keys = (("input", 0.0), ("input", 0.5), ("hidden", 0.5))
        whole, no_input, no_hidden = mean([[one.accuracy[key] for key in keys] for one in of_seeds])
        encoded, hidden = mean([one.spikes for one in of_seeds])
        steps, operations, right = mean([one.own for one in of_seeds])
        print(f"{code:9}{whole:10.1%}{no_input:17.1%}{no_hidden:10.1%}", end="")
        print(f"{encoded:12.0f}{hidden:8.0f}{right:12.1%}{steps:8.1f}{operations:12,.0f}")


if __name__ == "__main__":
    main()
