"""Trained networks of rectifiers, converted by each library: what an image costs afterwards."""

import copy
import importlib.util
from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from spikingjelly.activation_based import functional as jelly
from spikingjelly.activation_based import neuron as jelly_neuron
from spikingjelly.activation_based.ann2snn import Converter, RateCodingRecipe
from torch import Tensor, nn
from torch.nn import functional as F

import bitspike as snn
from bitspike import convert, tasks
from record import Options, Part, Row
from timing import Sample, interleaved

CHANNELS = "SpikingJelly, by channels"
LIBRARIES = ("bitspike", "SpikingJelly", CHANNELS, "sinabs", "the network itself")
STEPS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
LOST = 0.003
NOTES = f"""
* Networks are trained with PyTorch on 1,437 digits of scikit-learn, converted, and run on all 1,797
  at once, without gradient. Time is that of one image.
* Each library runs as many steps as it needs: the fewest with which it reads {LOST:.1%} of the
  images less than the network at most; all is for these.
* SpikingJelly: the better of two recipes, maxima and the percentile 99.9 %; *{CHANNELS}*: maxima of
  channels, and a membrane that begins at half of its threshold. sinabs: `from_model` as it is.
* bitspike: the better of `ann_to_snn` with thresholds for layers and for channels.
* Peers run neurons for one step after another, or for all; both multiply spikes as floats.
* sinabs is optional: `pip install sinabs==3.1.3`. A neuron of it may fire several times in a step.
"""


class Rival(NamedTuple):
    """A converted network."""

    run: Callable[[int], Tensor]
    """The outputs for all images after so many steps."""
    spikes: Callable[[int], float]
    """How many spikes an image takes in these."""


def networks(tiny: bool) -> dict[str, nn.Sequential]:
    """Trained networks by their names."""
    width = 8 if tiny else 32
    wide = 16 if tiny else 512
    mlp = nn.Sequential(
        *(nn.Flatten(), nn.Linear(64, wide), nn.ReLU(), nn.Linear(wide, wide), nn.ReLU()),
        *(nn.Linear(wide, wide), nn.ReLU(), nn.Linear(wide, 10)),
    )
    cnn = nn.Sequential(
        *(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU()),
        *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(8 * width, 10)),
    )
    return {
        f"64-{wide}-{wide}-{wide}-10": mlp,
        f"8×8 conv {width}, max pool, conv {2 * width}, average pool, 10": cnn,
    }


def trained(net: nn.Sequential, task: tasks.Task, epochs: int) -> nn.Sequential:
    """The network after training."""
    images, labels = task.train.tensors
    batches = len(images) // 64
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=epochs * batches)
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(64)[:batches]:
            optimizer.zero_grad()
            F.cross_entropy(net(images[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def bitspike(net: nn.Module, seen: Tensor, x: Tensor, per_channel: bool) -> Rival:
    """Converted for each number of steps."""
    made: dict[int, convert.RateNetwork] = {}

    def converted(steps: int) -> convert.RateNetwork:
        if steps not in made:
            options = {"num_steps": steps, "per_channel": per_channel}
            made[steps], _ = convert.ann_to_snn(net, [seen], **options)
        return made[steps]

    def spikes(steps: int) -> float:
        energy = snn.energy(converted(steps).net, x.expand(steps, *x.shape))
        return sum(row.spikes for row in energy.neurons) / len(x)

    return Rival(lambda steps: converted(steps)(x), spikes)


def spikingjelly(net: nn.Module, x: Tensor, *recipes: RateCodingRecipe) -> list[Rival]:
    """One for each recipe."""
    return [_jelly(Converter(recipe).convert(copy.deepcopy(net)).eval(), x) for recipe in recipes]


def _jelly(converted: nn.Module, x: Tensor) -> Rival:
    def run(steps: int) -> Tensor:
        jelly.reset_net(converted)
        total = converted(x)
        for _ in range(steps - 1):
            total = total + converted(x)
        return total

    return Rival(run, _counting(converted, jelly_neuron.BaseNode, run, len(x)))


def sinabs(net: nn.Module, seen: Tensor, x: Tensor) -> list[Rival]:
    """One, if it is installed."""
    if importlib.util.find_spec("sinabs") is None:
        return []
    from sinabs.from_torch import from_model
    from sinabs.layers import StatefulLayer

    converted = from_model(copy.deepcopy(net), batch_size=len(x)).spiking_model

    def run(steps: int) -> Tensor:
        for module in converted.modules():
            if isinstance(module, StatefulLayer):
                module.reset_states()
        return converted(x.repeat_interleave(steps, 0)).unflatten(0, (len(x), steps)).mean(1)

    return [Rival(run, _counting(converted, StatefulLayer, run, len(x)))]


def _counting(net: nn.Module, kind: type, run: Callable[[int], Tensor], images: int):
    """Counts what neurons fire."""

    def spikes(steps: int) -> float:
        found: list[float] = []
        hooks = [
            module.register_forward_hook(lambda _, inputs, out: found.append(float(out.sum())))
            for module in net.modules()
            if isinstance(module, kind)
        ]
        run(steps)
        for hook in hooks:
            hook.remove()
        return sum(found) / images

    return spikes


def needed(rival: Rival, labels: Tensor, wanted: float) -> int | None:
    """The fewest steps for which the accuracy is as wanted."""
    enough = (steps for steps in STEPS if accuracy(rival.run(steps), labels) >= wanted)
    return next(enough, None)


def accuracy(outputs: Tensor, labels: Tensor) -> float:
    """The share of images that are read right."""
    return (outputs.argmax(1) == labels).float().mean().item()


def measure(options: Options) -> Iterator[Row]:
    """Trains, converts, looks for the numbers of steps, then times."""
    task = tasks.digits()
    both = zip(task.train.tensors, task.test.tensors, strict=True)
    (x, labels), seen = map(torch.cat, both), task.train.tensors[0][:512]
    for subject, net in networks(options.tiny).items():
        if options.only not in subject:
            continue
        trained(net, task, 1 if options.tiny else 10)
        with torch.no_grad():
            yield from _rows(subject, net, (seen, x, labels), options)


def _rows(
    subject: str, net: nn.Sequential, data: tuple[Tensor, Tensor, Tensor], options: Options
) -> Iterator[Row]:
    seen, x, labels = data
    right = accuracy(net(x), labels)
    entries = {
        "bitspike": [bitspike(net, seen, x, per_channel) for per_channel in (False, True)],
        "SpikingJelly": spikingjelly(
            net, x, RateCodingRecipe([seen], mode="Max"), RateCodingRecipe([seen], mode="99.9%")
        ),
        CHANNELS: spikingjelly(
            net, x, RateCodingRecipe([seen], half_threshold=True, channel_wise=True)
        ),
        "sinabs": sinabs(net, seen, x),
    }
    missing = {}
    chosen: dict[str, tuple[Rival, int]] = {}
    for name, rivals in entries.items():
        found = [(rival, needed(rival, labels, right - LOST)) for rival in rivals]
        able = [(rival, steps) for rival, steps in found if steps is not None]
        if able:
            chosen[name] = min(able, key=lambda pair: pair[1])
        elif options.tiny and rivals:
            chosen[name] = rivals[0], 2
        else:
            missing[name] = f"it loses more in {STEPS[-1]} steps" if rivals else "not installed"
    row = partial(Row, subject, missing=missing)
    calls = {name: partial(rival.run, steps) for name, (rival, steps) in chosen.items()}
    calls["the network itself"] = lambda: net(x)
    times = interleaved(calls, options.rounds)
    per_image = {name: Sample(tuple(v / len(x) for v in s.values)) for name, s in times.items()}
    yield row(task="time of an image", samples=per_image)
    amounts = {
        "steps": lambda rival, steps: float(steps),
        "spikes of an image": lambda rival, steps: rival.spikes(steps),
        "images read right": lambda rival, steps: 100 * accuracy(rival.run(steps), labels),
    }
    for task, amount in amounts.items():
        samples = {name: Sample((amount(*pair),)) for name, pair in chosen.items()}
        if task == "images read right":
            samples["the network itself"] = Sample((100 * right,))
        yield row(task=task, samples=samples, unit="%" if "right" in task else "")


PART = Part("Conversion of trained networks", LIBRARIES, NOTES, measure)
