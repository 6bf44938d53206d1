"""Which gesture is it, and how soon? A network watches an event camera.

A bar moves right, left, down or up, or turns clockwise or counter-clockwise. ``camera.py`` writes
what an event camera would see of it, with jitter and noise, to files AEDAT 4. They are a data set
of packed frames of 10 ms, on which a convolutional network learns. Then a longer recording, of
gestures one after another, is played as a camera would deliver it: ``events.Binner`` makes steps
of its packets, ``snn.stream`` runs the network on each, and a readout says what it sees.

    python examples/gestures.py --out docs/images     a minute
    python examples/gestures.py --short               a few seconds, to try it
"""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

import bitspike as snn
from bitspike import events, utils
from camera import GESTURES, SIDE, one_after_another, watch, write
from drawing import save
from gesture_plots import draw
from training import options

WINDOW = 10_000
"""Microseconds of a step."""
PACKET = 2_000
"""Microseconds of what a camera hands over at a time."""
HELD = 5
"""Steps in which an answer must be the same to count as one."""
FILTERS = events.Filters(downsample=2)


class Live(NamedTuple):
    """What a stream has said of a recording."""

    membranes: Tensor
    """Of the readout at each step, ``[T, gestures]``."""
    latency: Tensor
    """Seconds from the packet that completes a step to its answer, ``[T]``."""


def main() -> None:
    """Writes recordings, trains, tests, and plays a recording to the stream."""
    arguments = options(__doc__)
    generator = torch.Generator().manual_seed(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        many, few, epochs = (24, 12, 1) if arguments.short else (600, 300, 10)
        training = data_set(write(folder / "train", many, generator))
        test = data_set(write(folder / "test", few, generator))
        print(f"{many + few} files written in {time.perf_counter() - started:.1f} s")

        net = network()
        started = time.perf_counter()
        train(net, training, epochs)
        print(f"trained in {time.perf_counter() - started:.1f} s")
        by_step = accuracy(net, test)
        soon = by_step[100_000 // WINDOW - 1]
        print(f"{by_step[-1]:.1%} of {few} recordings in the test, {soon:.1%} after 100 ms")

        each = 100 if arguments.short else 600  # milliseconds
        order = torch.randperm(len(GESTURES), generator=generator).tolist()
        seen = [watch(label, each, generator) for label in order]
        path = folder / "live.aedat4"
        played = one_after_another(seen, each)
        events.write(played, "aedat4", path, sensor_size=(SIDE, SIDE))
        live = play(net, events.read(path))
        check(net, path, live)
    report(live, order, each)
    examples = [watch(label, 300, generator) for label in range(len(GESTURES))]
    page = draw(
        examples=examples,
        by_step=by_step,
        membranes=live.membranes,
        latency=live.latency,
        order=order,
        each=each,
        window=WINDOW,
    )
    save(page, arguments.out / "gestures.png")


def data_set(items: list[tuple[Path, int]]) -> events.datasets.EventFiles:
    """Files as packed spikes ``[T, 2, 32, 32]``, each with its label."""
    frames = events.ToPacked(time_window=WINDOW, include_incomplete=True, filters=FILTERS)
    return events.datasets.EventFiles(items, transform=frames)


def network() -> nn.Sequential:
    """Maps frames ``[B, 2, 32, 32]`` to the membranes ``[B, 6]`` of a readout.

    Channels remember for different times, so that those behind them can compare now with before.
    """

    def neurons(channels: int) -> nn.Module:
        decays = torch.linspace(0.3, 0.95, channels).view(-1, 1, 1)
        return snn.Leaky(decays, learn_beta=True, init_hidden=True)

    return nn.Sequential(
        *(nn.Conv2d(2, 16, 5, stride=2, padding=2), neurons(16)),
        *(nn.Conv2d(16, 32, 3, stride=2, padding=1), neurons(32)),
        *(nn.Conv2d(32, 32, 3, stride=2, padding=1), neurons(32)),
        *(nn.Flatten(), nn.Linear(512, len(GESTURES)), snn.LI(0.9, init_hidden=True)),
    )


def train(net: nn.Module, data: events.datasets.EventFiles, epochs: int) -> None:
    """Learns to name the gesture at each step: the sooner, the better."""
    loader = DataLoader(data, batch_size=16, shuffle=True, collate_fn=events.collate)
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(loader))
    with tqdm(total=epochs * len(loader), desc="gestures", ncols=100) as bar:
        for _ in range(epochs):
            for batch in loader:
                utils.reset(net)
                membranes = snn.unroll(net, batch.spikes)  # [T, B, 6]
                own = own_steps(batch)
                labels = batch.labels.expand(len(membranes), -1)
                loss = F.cross_entropy(membranes[own], labels[own])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                bar.update()
            bar.set_postfix_str(f"loss {loss.item():.3g}")


def own_steps(batch: events.Batch) -> Tensor:
    """Which steps of a batch are not padding, bool ``[T, B]``."""
    return torch.arange(len(batch.spikes)).unsqueeze(1) < batch.lengths


@torch.no_grad()
def accuracy(net: nn.Module, data: events.datasets.EventFiles) -> list[float]:
    """The share of gestures found after each number of steps, at most until a recording ends."""
    (batch,) = DataLoader(data, batch_size=len(data), collate_fn=events.collate)
    utils.reset(net)
    membranes = snn.unroll(net.eval(), batch.spikes)
    so_far = (membranes * own_steps(batch).unsqueeze(2)).cumsum(0)
    return (so_far.argmax(2) == batch.labels).float().mean(1).tolist()


def play(net: nn.Module, recording: events.Recording) -> Live:
    """Hands a recording to the network as a camera would, packet by packet."""
    stream = snn.stream(net.eval(), torch.zeros(1, 2, SIDE // 2, SIDE // 2))
    binner = events.Binner((SIDE, SIDE), WINDOW, start=0, filters=FILTERS)
    membranes, latency = [], []
    ends = torch.arange(PACKET, int(recording.t[-1]) + PACKET, PACKET)
    cuts = torch.searchsorted(recording.t, ends).tolist()
    for start, stop in zip([0, *cuts], cuts, strict=False):
        packet = [column[start:stop] for column in recording.columns]
        arrived = time.perf_counter()
        for step in binner.push(*packet):
            membranes.append(stream(step)[0])
            latency.append(time.perf_counter() - arrived)
    for step in binner.flush():
        membranes.append(stream(step)[0])
    return Live(torch.stack(membranes), torch.tensor(latency))


@torch.no_grad()
def check(net: nn.Module, path: Path, live: Live) -> None:
    """The stream must have answered as the network does that sees all of the file at once."""
    whole = events.from_file(
        path, time_window=WINDOW, start=0, include_incomplete=True, filters=FILTERS
    )
    utils.reset(net)
    membranes = snn.unroll(net, whole.unsqueeze(1))[:, 0]
    torch.testing.assert_close(live.membranes, membranes)


def report(live: Live, order: list[int], each: int) -> None:
    """Prints what the stream took for what, and how long it took."""
    answers = live.membranes.argmax(1)
    print(f"{'shown':18}{'said after':>12}{'right':>8}")
    for label, part in zip(order, answers.split(1_000 * each // WINDOW), strict=False):
        right = part == label
        held = right.unfold(0, HELD, 1).all(1).nonzero()
        after = f"{int(held[0]) * WINDOW // 1_000} ms" if len(held) else "never"
        print(f"{GESTURES[label]:18}{after:>12}{right.float().mean():8.0%}")
    median, high = 1e6 * live.latency.quantile(torch.tensor([0.5, 0.99]))
    print(f"{len(answers)} steps: median {median:.0f} µs, 99 % below {high:.0f} µs", end="")
    print(f" of the {WINDOW} µs that a step lasts")


if __name__ == "__main__":
    main()
