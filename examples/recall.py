"""What remembers? Thresholds that adapt, where a membrane forgets.

In the store-recall task (Bellec et al. 2018) one of two values is shown in every frame of ten
steps. The one that came with a store cue is asked for by a recall cue, up to 70 steps later, and
values without a cue are shown meanwhile. A membrane that keeps 0.9 of itself per step has lost it
by then. ``ALIF`` neurons keep it in their thresholds: every spike raises them, and they fall back
slowly, so that what fired at the store cue answers less to the recall cue. Both networks are of the
same size, have no recurrent connections, and a readout of short memory.

    python examples/recall.py --out docs/images     about a minute
    python examples/recall.py --short               a few seconds, to try it
"""

from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

import bitspike as snn
from bitspike import spikeplot, tasks, utils
from drawing import BLUE, GREEN, GREY, ORANGE, VIOLET, figure, save, tidy
from store_recall import Curves, StoreRecall
from training import History, fit, options

RECALL = StoreRecall(frames=8, frame_steps=10, width=10)
HIDDEN = 60
GROUP = 15  # neurons whose thresholds are averaged
EXAMPLE_FRAME = 2  # when the sequence that is drawn has its store cue
SEEDS = 3
VALUES = {"value 0": BLUE, "value 1": ORANGE}
NEURONS = {"Leaky": GREY, "ALIF": GREEN}


class Example(NamedTuple):
    """One sequence, and the memory of all sequences that have their only cue in the same frame."""

    input: Tensor
    hidden: Tensor
    """Neurons whose thresholds remember value 0 come first, those of value 1 last."""
    readout: Tensor
    value: int
    memory: list[Tensor]
    """For either value stored, how far the thresholds of the last lie above those of the first."""


def main() -> None:
    """Trains both networks from a few seeds, and shows how one of them remembers."""
    arguments = options(__doc__)
    task = RECALL.task(200 if arguments.short else 3000)
    seeds = range(arguments.seed, arguments.seed + (1 if arguments.short else SEEDS))
    histories: dict[str, list[History]] = {}
    by_delay: dict[str, list[list[float]]] = {}
    for kind in NEURONS:
        histories[kind], by_delay[kind] = [], []
        for seed in seeds:
            torch.manual_seed(seed)
            net = network(kind)
            histories[kind].append(
                fit(
                    net,
                    task.train,
                    task.test,
                    encode=encode,
                    loss=cost,
                    decide=RECALL.decide,
                    epochs=1 if arguments.short else 30,
                    name=f"{kind}, seed {seed}",
                    batch=50,
                    learning_rate=1e-2,
                )
            )
            spikes = encode(task.test.tensors[0])
            by_delay[kind].append(RECALL.accuracy_by_delay(net, spikes, task))
    example = remember(net, task)  # the last network has ALIF neurons
    save(draw(histories, by_delay, example), arguments.out / "recall.png")
    report(histories, by_delay)


def network(kind: str) -> nn.Sequential:
    """Hidden neurons of that kind, and a readout that does not fire."""
    common = {"beta": 0.9, "init_hidden": True, "multi_step": True}
    hidden = snn.Leaky(**common) if kind == "Leaky" else snn.ALIF(rho=0.99, beta_a=1.0, **common)
    readout = snn.LI(beta=0.8, init_hidden=True, multi_step=True)
    return nn.Sequential(nn.Linear(4 * RECALL.width, HIDDEN), hidden, nn.Linear(HIDDEN, 2), readout)


def encode(sequences: Tensor) -> Tensor:
    """Packed, time first."""
    return snn.SpikeTensor.from_dense(sequences.transpose(0, 1))


def cost(readout: Tensor, values: Tensor) -> Tensor:
    """Cross entropy of what the readout says on average during the recall cue."""
    return F.cross_entropy(RECALL.answers(readout).mean(0), values)


@torch.no_grad()
def remember(net: nn.Sequential, task: tasks.Task) -> Example:
    """How a network with ALIF neurons keeps a value, while mostly the other one is shown."""
    sequences, values = task.test.tensors
    utils.reset(net)
    neurons = net[1]
    neurons.output = True  # the adaptation beside the spikes
    spikes = encode(sequences)
    hidden, adaptation, _ = net[:2](spikes)
    thresholds = neurons.threshold + neurons.beta_a * adaptation
    # What a threshold tells about the value when the recall cue comes, on average.
    before = RECALL.answers(thresholds)[0]
    selectivity = before[values == 1].mean(0) - before[values == 0].mean(0)
    order = selectivity.argsort()
    memory = thresholds[:, :, order[-GROUP:]].mean(2) - thresholds[:, :, order[:GROUP]].mean(2)

    cues = RECALL.store_cues(sequences)
    fits = cues[:, EXAMPLE_FRAME] & (cues.sum(1) == 1)
    shown = sequences.unflatten(2, (4, RECALL.width)).sum((1, 3))
    one = (fits * shown.gather(1, 1 - values.unsqueeze(1)).squeeze(1)).argmax()
    return Example(
        spikes[:, one],
        hidden[:, one][:, order],
        net[2:](hidden)[:, one],
        int(values[one]),
        [memory[:, fits & (values == value)] for value in range(2)],
    )


def draw(
    histories: dict[str, list[History]],
    by_delay: dict[str, list[list[float]]],
    example: Example,
) -> Figure:
    """Accuracies at the left, one sequence at the right."""
    page = figure(13, 8)
    left, right = page.subfigures(1, 2, width_ratios=(1, 1.9))
    learned, kept = left.subplots(2, 1)
    curves = {
        kind: Curves(NEURONS[kind], [history.accuracy for history in of_seeds], by_delay[kind])
        for kind, of_seeds in histories.items()
    }
    RECALL.draw(learned, kept, curves, low=0.4)
    tidy(learned, "accuracy in the test", xlabel="epoch")
    learned.legend(frameon=False, loc="lower right", ncols=3)
    trace(right.subplots(4, 1, sharex=True, height_ratios=(1.5, 2, 1.3, 1.3)), example)
    return page


def trace(axes: list[Axes], example: Example) -> None:
    """Cues, hidden spikes, thresholds and readout of one sequence."""
    input_, hidden, thresholds, readout = axes
    dash = {"marker": "|", "s": 14, "linewidths": 1.2}
    spikeplot.raster(example.input, input_, color=GREY, **dash)
    input_.set_yticks(
        [RECALL.width * (group + 0.5) for group in range(4)], [*VALUES, "store", "recall"]
    )
    for edge in range(1, 4):
        input_.axhline(RECALL.width * edge - 0.5, color=GREY, linewidth=0.5)
    stored, asked = EXAMPLE_FRAME * RECALL.frame_steps, RECALL.delays[-1]
    tidy(input_, f"input: store value {example.value} at step {stored}, recall it at step {asked}")

    spikeplot.raster(example.hidden, hidden, color=VIOLET, **dash)
    tidy(hidden, "hidden spikes; neurons further up remember value 1", "neuron")

    for (name, colour), memory in zip(VALUES.items(), example.memory, strict=True):
        low, mean, high = memory.quantile(0.1, 1), memory.mean(1), memory.quantile(0.9, 1)
        steps = range(len(mean))
        thresholds.fill_between(steps, low, high, color=colour, alpha=0.15, linewidth=0)
        thresholds.plot(mean, color=colour, linewidth=1.8, label=f"{name} stored")
    tidy(thresholds, f"thresholds: upper {GROUP} neurons − lower {GROUP}", "difference")

    for (name, colour), membrane in zip(VALUES.items(), example.readout.unbind(1), strict=True):
        readout.plot(membrane, color=colour, linewidth=1.8, label=name)
    tidy(readout, "readout", "membrane")
    for ax in (thresholds, readout):
        ax.axhline(0, color=GREY, linewidth=0.6)
        ax.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.97), ncols=2)
    for ax in axes:
        ax.axvspan(asked - 0.5, len(example.input), color=GREY, alpha=0.12)
        ax.set_xlim(-0.5, len(example.input) - 0.5)
        ax.set_xlabel("step" if ax is readout else "")


def report(histories: dict[str, list[History]], by_delay: dict[str, list[list[float]]]) -> None:
    """Prints a row for each kind of neuron."""
    shown = (0, 1, 3, 6)
    heads = "".join(f"{f'{RECALL.delays[place]} steps':>10}" for place in shown)
    print(f"{'':7}{'accuracy':>10}{'and after a delay of':>22}\n{'':17}{heads}")
    for kind, of_seeds in histories.items():
        whole = torch.tensor([history.accuracy[-1] for history in of_seeds]).mean().item()
        delayed = torch.tensor(by_delay[kind]).mean(0)
        cells = "".join(f"{delayed[place].item():10.1%}" for place in shown)
        print(f"{kind:7}{whole:10.1%}{cells}")


if __name__ == "__main__":
    main()
