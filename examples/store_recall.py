"""Store and recall: how a network answers, and how well after which delay."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from torch import Tensor, nn

from bitspike import tasks, utils
from drawing import GREY, band, shares, tidy

NOISE = 0.02


class Curves(NamedTuple):
    """Accuracies of networks of a kind, one for each seed."""

    colour: str
    over_time: Sequence[Sequence[float]]
    by_delay: Sequence[Sequence[float]]


class StoreRecall(NamedTuple):
    """The sizes of the task, whose last frame has the recall cue."""

    frames: int
    frame_steps: int
    width: int
    """Neurons of each of the four groups: two values, store, recall."""
    rate: float = 0.3

    def task(self, samples: int) -> tasks.Task:
        """Sequences ``[N, T, 4·width]``, and the values to recall."""
        return tasks.store_recall(samples=samples, noise=NOISE, **self._asdict())

    def answers(self, readout: Tensor) -> Tensor:
        """What a readout ``[T, B, 2]`` says at each step of the recall cue."""
        return readout[-self.frame_steps :]

    def decide(self, readout: Tensor) -> Tensor:
        """The value that it says during the whole cue."""
        return self.answers(readout).mean(0).argmax(1)

    def store_cues(self, sequences: Tensor) -> Tensor:
        """In which frames there was a store cue, ``[N, frames]``."""
        group = sequences[:, :, 2 * self.width : 3 * self.width]
        spikes = group.unflatten(1, (self.frames, self.frame_steps)).sum((2, 3))
        # Between what noise sends and what a cue does.
        return spikes > 0.15 * self.frame_steps * self.width

    @property
    def delays(self) -> list[int]:
        """Steps from a store cue to the recall cue, for one frame and more."""
        return [frames * self.frame_steps for frames in range(1, self.frames)]

    @torch.no_grad()
    def accuracy_by_delay(self, net: nn.Module, spikes: Tensor, task: tasks.Task) -> list[float]:
        """Accuracy in the test, whose input these spikes are, for each of the delays."""
        sequences, values = task.test.tensors
        utils.reset(net)
        right = (self.decide(net(spikes)) == values).float()
        last = (self.store_cues(sequences) * torch.arange(self.frames)).amax(1)
        delay = self.frames - 1 - last
        return [right[delay == frames].mean().item() for frames in range(1, self.frames)]

    def draw(self, learned: Axes, kept: Axes, curves: Mapping[str, Curves], *, low: float) -> None:
        """Accuracy over training, and after it by delay, from ``low`` on."""
        for label, curve in curves.items():
            epochs = range(1, len(curve.over_time[0]) + 1)
            band(learned, epochs, curve.over_time, curve.colour, label)
            band(kept, self.delays, curve.by_delay, curve.colour, label)
        tidy(kept, "after training, by delay", xlabel="steps from store cue to recall cue")
        learned.xaxis.set_major_locator(MaxNLocator(integer=True))
        for ax in (learned, kept):
            ax.axhline(0.5, color=GREY, linestyle=":", linewidth=1.2, label="guessing")
            shares(ax, low, 1.02)
