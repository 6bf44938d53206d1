"""Who is speaking? Spiking neurons with and without recurrent connections listen to two vowels.

Nine men say "ae" (Kudo et al. 1999). A recording is a sequence of frames, of twelve numbers each,
which drive 64 hidden neurons directly, as currents: ``Leaky`` neurons, or ``RLeaky`` ones, whose
spikes come back to all of them one step later. A readout that does not fire integrates theirs, and
the speaker whose membrane is highest on average is the answer. The training set is small, 30
recordings of each speaker, so that several networks are trained of each kind.

    python examples/speech.py --out docs/images     half a minute
    python examples/speech.py --short               a few seconds, to try it
"""

from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import bitspike as snn
from bitspike import functional as SF
from bitspike import spikeplot, tasks, utils
from drawing import BLUE, GREY, ORANGE, band, figure, save, shares, tidy
from training import History, fit, options

HIDDEN = 64
SEEDS = 10
NEURONS = {"Leaky": GREY, "RLeaky": BLUE}


class Example(NamedTuple):
    """What a network hears, fires and answers, for one recording."""

    frames: Tensor
    hidden: Tensor
    readout: Tensor
    speaker: int
    start: int


def main() -> None:
    """Trains networks of both kinds, and shows what those with recurrence make of the test."""
    arguments = options(__doc__)
    task = tasks.japanese_vowels()
    train, test = standardised(task.train, task.train), standardised(task.test, task.train)
    seeds = range(arguments.seed, arguments.seed + (1 if arguments.short else SEEDS))
    histories: dict[str, list[History]] = {}
    confusion = {}
    for kind in NEURONS:
        histories[kind], confusion[kind] = [], torch.zeros(task.classes, task.classes)
        for seed in seeds:
            torch.manual_seed(seed)
            net = network(kind, task.classes)
            history = fit(
                net,
                train,
                test,
                encode=encode,
                loss=lambda readout, speaker: F.cross_entropy(readout.mean(0), speaker),
                decide=decide,
                epochs=1 if arguments.short else 25,
                name=f"{kind}, seed {seed}",
                batch=32,
                learning_rate=5e-3,
            )
            histories[kind].append(history)
            answers = decide(listen(net, test.tensors[0])[1])
            confusion[kind] += SF.confusion(answers, test.tensors[1], task.classes)
    example = hear(net, test, task.test.tensors[2])
    save(draw(histories, confusion, example), arguments.out / "speech.png")
    report(histories, confusion)


def standardised(recordings: TensorDataset, reference: TensorDataset) -> TensorDataset:
    """Every coefficient with mean 0 and deviation 1; silence comes first, and not at the end."""
    known, _, spoken = reference.tensors
    frames = torch.cat([one[:length] for one, length in zip(known, spoken, strict=True)])
    mean, deviation = frames.mean(0), frames.std(0)
    samples, speakers, lengths = recordings.tensors
    moved = torch.zeros_like(samples)
    for to, one, length in zip(moved, samples, lengths.tolist(), strict=True):
        to[len(to) - length :] = (one[:length] - mean) / deviation
    return TensorDataset(moved, speakers)


def network(kind: str, classes: int) -> nn.Sequential:
    """Hidden neurons of that kind, and a readout that does not fire."""
    common = {"beta": 0.8, "init_hidden": True, "multi_step": True}
    recurrent = kind == "RLeaky"
    hidden = snn.RLeaky(linear_features=HIDDEN, **common) if recurrent else snn.Leaky(**common)
    readout = snn.LI(beta=0.95, init_hidden=True, multi_step=True)
    return nn.Sequential(nn.Linear(12, HIDDEN), hidden, nn.Linear(HIDDEN, classes), readout)


def encode(recordings: Tensor) -> Tensor:
    """Time first; the numbers are currents."""
    return recordings.transpose(0, 1)


def decide(readout: Tensor) -> Tensor:
    """The speaker with the highest membrane on average."""
    return readout.mean(0).argmax(1)


@torch.no_grad()
def listen(net: nn.Sequential, recordings: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden spikes and membranes of the readout."""
    utils.reset(net)
    hidden = net[:2](encode(recordings))
    return hidden, net[2:](hidden)


def hear(net: nn.Sequential, test: TensorDataset, lengths: Tensor) -> Example:
    """The first recording of the test that has twenty frames."""
    index = int((lengths == 20).int().argmax())
    samples, speakers = test.tensors
    hidden, readout = listen(net, samples[index : index + 1])
    start = samples.shape[1] - int(lengths[index])
    return Example(samples[index], hidden[:, 0], readout[:, 0], int(speakers[index]), start)


def draw(
    histories: dict[str, list[History]], confusion: dict[str, Tensor], example: Example
) -> Figure:
    """Accuracy and mistakes at the left, one recording at the right."""
    page = figure(13, 7.6)
    left, right = page.subfigures(1, 2, width_ratios=(1, 1.5))
    learned, mistakes = left.subplots(2, 1, height_ratios=(1, 1.45))
    for kind, of_seeds in histories.items():
        accuracy = [history.accuracy for history in of_seeds]
        band(learned, range(1, len(accuracy[0]) + 1), accuracy, NEURONS[kind], kind)
    shares(learned, 0.4)
    learned.xaxis.set_major_locator(MaxNLocator(integer=True))
    learned.legend(frameon=False, loc="lower right")
    tidy(learned, "accuracy in the test", xlabel="epoch")
    matrix(mistakes, confusion["RLeaky"])
    recording(right.subplots(3, 1, sharex=True, height_ratios=(1, 1.6, 1.4)), example)
    return page


def matrix(ax: Axes, counts: Tensor) -> None:
    """Which speaker was taken for which, in percent of the recordings of each."""
    percent = 100 * counts / counts.sum(1, keepdim=True)
    ax.imshow(percent, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    for row, column in (percent > 0.5).nonzero().tolist():
        share = percent[row, column].item()
        shade = "white" if share > 50 else "black"
        ax.text(column, row, f"{share:.0f}", ha="center", va="center", color=shade, fontsize=9)
    for ticks in (ax.set_xticks, ax.set_yticks):
        ticks(range(len(counts)), range(1, len(counts) + 1))
    tidy(ax, "RLeaky: percent of each speaker's recordings", "speaker", "answer")
    ax.spines[:].set_visible(False)


def recording(axes: list[Axes], example: Example) -> None:
    """What one recording sounds like, the hidden spikes, and how the answer builds up."""
    heard, hidden, readout = axes
    image = heard.imshow(
        example.frames.t(), cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto", interpolation="none"
    )
    heard.figure.colorbar(image, ax=heard, pad=0.01, label="deviations")
    heard.set_yticks(range(0, 12, 3), range(1, 13, 3))
    tidy(heard, f"a recording of speaker {example.speaker + 1}", "coefficient")
    spikeplot.raster(example.hidden, hidden, color=BLUE, marker="|", s=14, linewidths=1.4)
    tidy(hidden, f"RLeaky: {int(example.hidden.sum())} hidden spikes", "neuron")
    others = torch.arange(example.readout.shape[1]) != example.speaker
    lines = readout.plot(example.readout[:, others], color=GREY, linewidth=1)
    lines[0].set_label("the others")
    readout.plot(
        example.readout[:, example.speaker],
        color=ORANGE,
        linewidth=2.2,
        label=f"speaker {example.speaker + 1}",
    )
    readout.legend(frameon=False, loc="upper left")
    tidy(readout, "readout: who is it?", "membrane")
    for ax in axes:
        ax.axvline(example.start - 0.5, color=GREY, linestyle=":", linewidth=1.2)
        ax.set_xlim(-0.5, len(example.frames) - 0.5)
        ax.set_xlabel("frame" if ax is readout else "")


def report(histories: dict[str, list[History]], confusion: dict[str, Tensor]) -> None:
    """Prints a row for each kind of neuron."""
    print(f"{'':8}{'accuracy':>10}{'lowest':>10}{'highest':>10}{'worst speaker':>16}")
    for kind, of_seeds in histories.items():
        last = torch.tensor([history.accuracy[-1] for history in of_seeds])
        counts = confusion[kind]
        worst = (counts.diagonal() / counts.sum(1)).min().item()
        print(f"{kind:8}{last.mean().item():10.1%}{last.min().item():10.1%}", end="")
        print(f"{last.max().item():10.1%}{worst:16.1%}")


if __name__ == "__main__":
    main()
