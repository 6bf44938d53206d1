"""Recurrent networks that remember, learned without a way back through time: what does e-prop lose?

One of two values is shown in every frame of four steps, and the one that came with a store cue is
asked for by a recall cue, up to 28 steps later (Bellec et al. 2018). Recurrent layers of adaptive
neurons, and of plain ones, learn it by backpropagation through time, and by e-prop (Bellec et al.
2020) with symmetric and with random feedback: from the same weights, in as many updates of the same
optimiser. All membranes forget within a frame.

    python examples/eprop_recall.py --out docs/images     about a minute and a half
    python examples/eprop_recall.py --short               a few seconds, to try it
"""

import multiprocessing
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

import bitspike as snn
from bitspike import tasks
from bitspike.learning import online
from drawing import BLUE, GREY, ORANGE, figure, save, tidy
from store_recall import Curves, StoreRecall
from training import History, fit, options

RECALL = StoreRecall(frames=8, frame_steps=4, width=5, rate=0.5)
HIDDEN = 40
READOUT_DECAY = 0.8
SEEDS = 2
BPTT = "BPTT"
RULES = {
    "e-prop": online.EProp(kappa=READOUT_DECAY),
    "e-prop, random feedback": online.EProp(kappa=READOUT_DECAY, feedback="random"),
}
COLOURS = dict(zip((BPTT, *RULES), (GREY, BLUE, ORANGE), strict=True))
LAYERS = {"RALIF": "adaptive thresholds (RALIF)", "RLeaky": "fixed thresholds (RLeaky)"}


class Learned(NamedTuple):
    """What one network has learned."""

    history: History
    by_delay: list[float]
    """Accuracy after training, for each delay from one frame on."""


class Online(nn.Module):
    """A network that takes sequences, and gets the gradient of an online rule."""

    def __init__(self, net: nn.Sequential, rule: online.Rule) -> None:
        super().__init__()
        self.net = net
        self.learner = online.Learner(net, rule)

    def forward(self, spikes: Tensor) -> Tensor:
        """``[T, B, inputs]`` to ``[T, B, values]``, from rest."""
        self.learner.train(torch.is_grad_enabled()).reset()
        return self.learner.block(spikes)


def main() -> None:
    """Trains each network by each rule from a few seeds, and compares what they learn."""
    arguments = options(__doc__)
    task = RECALL.task(100 if arguments.short else 1000)
    seeds = range(arguments.seed, arguments.seed + (1 if arguments.short else SEEDS))
    epochs = 1 if arguments.short else 5
    jobs = [
        (task, layer, rule, seed, epochs) for layer in LAYERS for rule in COLOURS for seed in seeds
    ]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        networks = pool.starmap(learn, jobs, chunksize=1)
    learned: dict[str, dict[str, list[Learned]]] = {
        layer: {rule: [] for rule in COLOURS} for layer in LAYERS
    }
    for (_, layer, rule, _, _), one in zip(jobs, networks, strict=True):
        learned[layer][rule].append(one)
    save(draw(learned), arguments.out / "eprop_recall.png")
    report(learned)


def network(layer: str, *, multi_step: bool) -> nn.Sequential:
    """A recurrent layer, and a readout that does not fire."""
    common = {"init_hidden": True, "multi_step": multi_step}
    recurrent = {"beta": 0.6, "linear_features": HIDDEN, **common}
    if layer == "RALIF":
        hidden = snn.RALIF(rho=0.97, beta_a=1.0, **recurrent)
    else:
        hidden = snn.RLeaky(**recurrent)
    readout = snn.LI(beta=READOUT_DECAY, **common)
    return nn.Sequential(nn.Linear(4 * RECALL.width, HIDDEN), hidden, nn.Linear(HIDDEN, 2), readout)


def learn(task: tasks.Task, layer: str, rule: str, seed: int, epochs: int) -> Learned:
    """Trains a network of that layer by that rule, on one core."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    net = network(layer, multi_step=rule == BPTT)
    learner = net if rule == BPTT else Online(net, RULES[rule])
    history = fit(
        learner,
        task.train,
        task.test,
        encode=encode,
        loss=cost,
        decide=RECALL.decide,
        epochs=epochs,
        name=f"{layer}, {rule}, seed {seed}",
        batch=40,
        learning_rate=2e-2,
    )
    spikes = encode(task.test.tensors[0])
    return Learned(history, RECALL.accuracy_by_delay(learner, spikes, task))


def encode(sequences: Tensor) -> Tensor:
    """Time first."""
    return sequences.transpose(0, 1)


def cost(readout: Tensor, values: Tensor) -> Tensor:
    """Cross entropy of each step of the recall cue: an error that is known at its step."""
    late = RECALL.answers(readout)
    return F.cross_entropy(late.flatten(0, 1), values.repeat(len(late)))


def draw(learned: dict[str, dict[str, list[Learned]]]) -> Figure:
    """Accuracy over training above, by delay below; a column for each kind of layer."""
    page = figure(11, 6.5)
    for column, (layer, rules) in zip(page.subplots(2, 2).T, learned.items(), strict=True):
        over_time, by_delay = column
        curves = {
            rule: Curves(
                COLOURS[rule],
                [one.history.accuracy for one in networks],
                [one.by_delay for one in networks],
            )
            for rule, networks in rules.items()
        }
        RECALL.draw(over_time, by_delay, curves, low=0.33)
        tidy(over_time, f"{LAYERS[layer]}: accuracy in the test", xlabel="epoch")
        if layer == "RALIF":
            over_time.legend(frameon=False, loc="lower right", ncols=2)
    return page


def report(learned: dict[str, dict[str, list[Learned]]]) -> None:
    """Prints a row for each kind of layer and rule."""
    heads = "".join(f"{f'{steps} steps':>10}" for steps in RECALL.delays)
    print(f"{'':32}{'loss':>7}{'accuracy':>10}{heads}")
    for layer, rules in learned.items():
        for rule, networks in rules.items():
            loss = sum(one.history.loss[-1] for one in networks) / len(networks)
            whole = sum(one.history.accuracy[-1] for one in networks) / len(networks)
            delayed = torch.tensor([one.by_delay for one in networks]).mean(0).tolist()
            cells = "".join(f"{share:10.1%}" for share in delayed)
            print(f"{f'{layer}, {rule}':32}{loss:7.3f}{whole:10.1%}{cells}")


if __name__ == "__main__":
    main()
