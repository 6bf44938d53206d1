"""Which neurons remember? Leaky ones and those of long memory, of one size, on four tasks.

Each task asks for something that was seen long before: the value that came with the last store cue
(Bellec et al. 2018), whether two cues with silence between them were different, two values in
their order, and what a digit was that was shown pixel by pixel. A network is one layer of hidden
neurons without recurrent connections, and a readout of short memory, so that the hidden neurons
alone can remember. All are trained in the same way from the same seeds. Each kind of neuron runs on
the tasks that ask for what it has; a row of ``NEURONS`` is all that another one needs.

    python examples/long_memory.py --out docs/images     some minutes
    python examples/long_memory.py --short               some seconds, to try it
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

import bitspike as snn
from bitspike import tasks
from drawing import BLUE, GREY, figure, save, tidy
from training import fit, options

HIDDEN = 40
SEEDS = 3
KEPT: dict[str, Any] = {"init_hidden": True, "multi_step": True}


class Trial(NamedTuple):
    """A task, and when its answers are wanted."""

    title: str
    make: Callable[[int], tasks.Task]
    """From the number of samples."""
    chance: float
    parts: int = 1
    """How many answers there are, one after the other."""
    part_steps: int = 5
    """Steps of each; the last ones of the sequence."""
    readout: float = 0.8
    """Decay of the readout."""
    epochs: int = 10


class Neuron(NamedTuple):
    """A kind of hidden neurons, and the tasks for it."""

    hidden: Callable[[int, int], nn.Module]
    """From the numbers of inputs and steps: what maps inputs ``[T, B, *]`` to spikes."""
    tasks: str
    """The keys of its tasks."""


def behind_weights(make: Callable[[int], nn.Module]) -> Callable[[int, int], nn.Module]:
    """Hidden neurons, made for a number of steps, behind a linear layer."""
    return lambda inputs, steps: nn.Sequential(nn.Linear(inputs, HIDDEN), make(steps))


def each(value: float) -> Tensor:
    """A number for each of the hidden neurons."""
    return torch.full((HIDDEN,), value)


CUES: dict[str, Any] = {"width": 6, "noise": 0.02}
TRIALS = {
    "store": Trial(
        "store and recall, up to 25 steps",
        lambda samples: tasks.store_recall(samples, frames=6, frame_steps=5, **CUES),
        chance=0.5,
    ),
    "xor": Trial(
        "XOR of cues, 30 steps apart",
        lambda samples: tasks.delayed_xor(samples, delay=30, cue_steps=5, **CUES),
        chance=0.5,
    ),
    "copy": Trial(
        "copy of two values, after 20 steps",
        lambda samples: tasks.copy_memory(samples, length=2, delay=20, **CUES),
        chance=0.5,
        parts=2,
    ),
    "digits": Trial(
        "digits, pixel by pixel",
        lambda samples: tasks.sequential_digits(),
        chance=0.1,
        part_steps=1,
        readout=0.95,
    ),
}

NEURONS = {
    "Leaky": Neuron(behind_weights(lambda steps: snn.Leaky(0.9, **KEPT)), "store xor copy digits"),
    "Leaky, β learned": Neuron(
        behind_weights(lambda steps: snn.Leaky(each(0.9), learn_beta=True, **KEPT)),
        "store xor copy digits",
    ),
    "CLIF": Neuron(behind_weights(lambda steps: snn.CLIF(0.9, **KEPT)), "store digits"),
    "ModulatedLeaky": Neuron(
        behind_weights(lambda steps: snn.ModulatedLeaky(0.9, each(2.0), rho=0.98, **KEPT)),
        "store",
    ),
    "CobaLIF, slow": Neuron(
        behind_weights(lambda steps: snn.CobaLIF(tau_exc=100, tau_inh=100, dt=1.0, **KEPT)), "xor"
    ),
    "TCLIF": Neuron(
        behind_weights(lambda steps: snn.TCLIF(each(0.1), each(0.1), **KEPT)), "xor copy digits"
    ),
    "GLIF": Neuron(
        behind_weights(lambda steps: snn.GLIF(steps, HIDDEN, decay=0.9, threshold=1.0, **KEPT)),
        "xor digits",
    ),
    "SlidingPSN": Neuron(
        behind_weights(lambda steps: snn.SlidingPSN(steps, **KEPT)), "store copy digits"
    ),
    "MaskedPSN": Neuron(
        behind_weights(lambda steps: snn.MaskedPSN(steps, steps, **KEPT)), "store copy digits"
    ),
    "PSN": Neuron(behind_weights(snn.PSN), "store xor copy digits"),
}


def main() -> None:
    """Trains each kind on its tasks from a few seeds, and compares them."""
    arguments = options(__doc__)
    seeds = range(arguments.seed, arguments.seed + (1 if arguments.short else SEEDS))
    found: dict[str, dict[str, list[float]]] = {key: {} for key in TRIALS}
    for key, trial in TRIALS.items():
        task = trial.make(100 if arguments.short else 1500)
        if arguments.short:
            task = first(task, 80)
        for name, neuron in NEURONS.items():
            if key in neuron.tasks.split():
                found[key][name] = [
                    learn(neuron, trial, task, seed, f"{key}, {name}", short=arguments.short)
                    for seed in seeds
                ]
    save(draw(found), arguments.out / "long_memory.png")
    report(found)


def first(task: tasks.Task, samples: int) -> tasks.Task:
    """A task with few samples."""
    train, test = (torch.utils.data.TensorDataset(*part[:samples]) for part in task[:2])
    return task._replace(train=train, test=test)


def learn(
    neuron: Neuron, trial: Trial, task: tasks.Task, seed: int, name: str, *, short: bool
) -> float:
    """Trains a network, and returns its accuracy in the test."""
    torch.manual_seed(seed)
    _, steps, inputs = task.train.tensors[0].shape
    net = nn.Sequential(
        neuron.hidden(inputs, steps),
        nn.Linear(HIDDEN, task.classes),
        snn.LI(beta=trial.readout, **KEPT),
    )

    def answers(readout: Tensor) -> Tensor:
        """The readout at the time of each answer, ``[B, classes]`` or ``[B, classes, parts]``."""
        last = readout[-trial.parts * trial.part_steps :]
        each_part = last.unflatten(0, (trial.parts, trial.part_steps)).mean(1)
        return each_part[0] if trial.parts == 1 else each_part.permute(1, 2, 0)

    history = fit(
        net,
        task.train,
        task.test,
        encode=lambda x: x.transpose(0, 1),
        loss=lambda readout, y: F.cross_entropy(answers(readout), y),
        decide=lambda readout: answers(readout).argmax(1),
        epochs=1 if short else trial.epochs,
        name=f"{name}, seed {seed}",
        batch=50,
        learning_rate=1e-2,
    )
    return history.accuracy[-1]


def draw(found: dict[str, dict[str, list[float]]]) -> Figure:
    """A panel for each task: the mean of each kind of neuron, and its seeds."""
    page = figure(12, 6.4)
    for ax, (key, trial) in zip(page.subplots(2, 2).flat, TRIALS.items(), strict=True):
        panel(ax, trial, found[key])
    return page


def panel(ax: Axes, trial: Trial, accuracies: dict[str, list[float]]) -> None:
    """Bars of means, with a dot for each seed."""
    for row, (name, of_seeds) in enumerate(accuracies.items()):
        mean, colour = sum(of_seeds) / len(of_seeds), GREY if name.startswith("Leaky") else BLUE
        ax.barh(row, mean, color=colour, alpha=0.45, height=0.7)
        ax.scatter(of_seeds, [row] * len(of_seeds), color=colour, s=14, zorder=3)
        ax.text(1.02, row, f"{mean:.0%}", va="center", fontsize=9)
    ax.axvline(trial.chance, color="black", linestyle=":", linewidth=1.2)
    ax.set_yticks(range(len(accuracies)), list(accuracies))
    ax.invert_yaxis()
    ax.set_xlim(0, 1.0)
    ax.set_xticks([0, 0.5, 1], ["0 %", "50 %", "100 %"])
    tidy(ax, trial.title)


def report(found: dict[str, dict[str, list[float]]]) -> None:
    """Prints the accuracy of each kind on each task, and how far it is above that of Leaky."""
    print(f"{'':18}" + "".join(f"{key:>18}" for key in TRIALS))
    for name in NEURONS:
        cells = ""
        for key in TRIALS:
            of_seeds = torch.tensor(found[key].get(name, []))
            margin = of_seeds.mean() - torch.tensor(found[key]["Leaky"]).mean()
            cells += f"{f'{of_seeds.mean():.1%} ({margin:+.1%})' if len(of_seeds) else '':>18}"
        print(f"{name:18}{cells}")


if __name__ == "__main__":
    main()
