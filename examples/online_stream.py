"""Learning on a stream that never ends: what do traces save, and what do they lose?

Every 20 steps a symbol comes: ten inputs fire for a while, then ten others. Which came first and
which second makes four classes, so that the answer needs the past. Networks of one hidden layer
learn on 100,000 steps without a break, and are tested on what comes next before they learn from it:
with exact traces, with nothing of the past, and with backpropagation through time that is cut off
every 20 steps. Then memory is measured against the number of steps.

    python examples/online_stream.py --out docs/images     about two minutes
    python examples/online_stream.py --short               a few seconds, to try it
"""

import multiprocessing
import resource
import time
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional as F

import bitspike as snn
from bitspike.learning import online
from drawing import BLUE, GREY, ORANGE, figure, save, tidy
from training import options

SYMBOL, GROUP, HIDDEN, STREAMS = 20, 10, 64, 4
CLASSES = 4
RULES = {
    "exact traces (RTRL)": online.RTRL(),
    "no past (SLTT)": online.SLTT(),
}
CUT = "BPTT, cut every 20 steps"
COLOURS = dict(zip((*RULES, CUT), (BLUE, GREY, ORANGE), strict=True))


class Learned(NamedTuple):
    """What a network has made of the stream."""

    accuracy: Tensor
    """Of each symbol, on average over the streams, before it was learned from."""
    seconds: float


def main() -> None:
    """Trains on the stream by each rule, measures memory, and draws both."""
    arguments = options(__doc__)
    torch.set_num_threads(1)
    symbols = 100 if arguments.short else 5000
    learned = {}
    for name in COLOURS:
        torch.manual_seed(arguments.seed)
        learned[name] = follow(name, symbols)
    lengths = [1000, 2000] if arguments.short else [1000, 3000, 10_000, 30_000, 100_000]
    memory = {
        "BPTT": [(steps, memory_of("BPTT", steps)) for steps in lengths],
        "RTRL": [(steps, memory_of("RTRL", steps)) for steps in lengths],
    }
    save(draw(learned, memory), arguments.out / "online_stream.png")
    for name, (accuracy, seconds) in learned.items():
        last = accuracy[-max(1, symbols // 10) :].mean().item()
        print(f"{name:26}{last:8.1%} of the last tenth, {seconds:6.1f} s")
    for name, sizes in memory.items():
        print(name, ", ".join(f"{steps} steps: {size:.0f} MiB" for steps, size in sizes))


def network() -> nn.Sequential:
    """One hidden layer that forgets within a symbol, and a readout that forgets faster."""
    return nn.Sequential(
        *(nn.Linear(2 * GROUP, HIDDEN), snn.Leaky(beta=0.95, init_hidden=True)),
        *(nn.Linear(HIDDEN, CLASSES), snn.LI(beta=0.5, init_hidden=True)),
    )


def symbol(classes: Tensor) -> Tensor:
    """Spikes ``[SYMBOL, B, inputs]``, packed, for classes ``[B]``: first and second group."""
    half = SYMBOL // 2
    groups = torch.stack([classes // 2, classes % 2])  # [half of the symbol, B]
    active = F.one_hot(groups, 2).repeat_interleave(GROUP, 2).repeat_interleave(half, 0)
    spikes = torch.rand(active.shape) < 0.02 + 0.28 * active
    return snn.SpikeTensor.from_dense(spikes.float())


def follow(name: str, symbols: int) -> Learned:
    """Learns from one symbol after another; the state of the network is never reset."""
    net = network()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    learner = online.Learner(net, RULES[name]) if name in RULES else None
    right = []
    started = time.perf_counter()
    for _ in range(symbols):
        classes = torch.randint(CLASSES, (STREAMS,))
        spikes = symbol(classes)
        if learner is None:
            snn.utils.detach(net)
            answer = snn.unroll(net, spikes)
        else:
            answer = learner.block(spikes)
        late = answer[-SYMBOL // 4 :]
        loss = F.cross_entropy(late.flatten(0, 1), classes.repeat(len(late)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        right.append((late.detach().sum(0).argmax(1) == classes).float().mean())
    return Learned(torch.stack(right), time.perf_counter() - started)


def memory_of(rule: str, steps: int) -> float:
    """MiB that learning from so many steps takes at most, in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(peak, (rule, steps))


def peak(rule: str, steps: int) -> float:
    """MiB at most while learning from so many steps, beyond what this process began with."""
    torch.set_num_threads(1)
    net = network()
    learner = online.Learner(net, online.RTRL())
    classes = torch.zeros(STREAMS, dtype=torch.long)
    if rule == "BPTT":
        whole = torch.cat([symbol(classes).dense() for _ in range(steps // SYMBOL)])
        snn.unroll(net, snn.SpikeTensor.from_dense(whole)).square().mean().backward()
    else:
        for _ in range(steps // SYMBOL):
            learner.block(symbol(classes)).square().mean().backward()
    return most() - START


def most() -> float:
    """MiB that this process has taken at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


START = most()


def draw(learned: dict[str, Learned], memory: dict[str, list[tuple[int, float]]]) -> Figure:
    """Accuracy over the stream at the left, memory at the right."""
    page = figure(12, 4.2)
    over_time, over_steps = page.subplots(1, 2, width_ratios=(1.6, 1))
    for name, (accuracy, seconds) in learned.items():
        window = max(1, len(accuracy) // 50)
        smooth = accuracy.unfold(0, window, window).mean(1)
        steps = (torch.arange(len(smooth)) + 1) * window * SYMBOL
        label = f"{name}, {seconds:.0f} s"
        over_time.plot(steps, smooth, color=COLOURS[name], linewidth=1.8, label=label)
    over_time.axhline(1 / CLASSES, color=GREY, linestyle=":", linewidth=1.2, label="guessing")
    tidy(over_time, "symbols that are recognised", xlabel="step of the stream")
    over_time.set_ylim(0, 1.02)
    over_time.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.25))
    for (name, sizes), colour in zip(memory.items(), (ORANGE, BLUE), strict=True):
        over_steps.plot(*zip(*sizes, strict=True), "o-", color=colour, linewidth=1.8, label=name)
    over_steps.set_xscale("log")
    tidy(over_steps, "memory for learning, MiB", xlabel="steps of one sequence")
    over_steps.legend(frameon=False, loc="upper left")
    return page


if __name__ == "__main__":
    main()
