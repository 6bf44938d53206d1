"""DVS-Gesture."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from torch.utils.data import Dataset

from bitspike.ops.events import Columns

from ..columns import Recording
from ..files import chunks
from ._files import Folder, Transform, missing, transformed


class Trial(NamedTuple):
    """A gesture in a file."""

    path: Path
    label: int
    start: int
    """Microseconds."""
    end: int


class DVSGesture(Dataset[tuple[Any, int]]):
    r"""DVS-Gesture: gestures of hands and arms, seen by a DVS128 (Amir et al., CVPR 2017).

    A file holds the gestures of one person in one light, one behind another; a second file says
    when each is. An item is one of them, 128 × 128 pixels and some seconds long: an event at ``t``
    belongs to it if ``start <= t < end``, as in snnTorch and SpikingJelly. That makes 1,176 to
    train with and 288 to test; tonic's archive has 1,077 and 264. Some gestures overlap, because
    some ends are later than the next start.

    Args:
        root: The folder with ``trials_to_train.txt``, ``trials_to_test.txt``, and for each
            ``user….aedat`` that they name a ``user…_labels.csv``.
        train: Which of the two.
        transform: What becomes of a recording, `ToPacked` for example.
        target_transform: What becomes of a label.

    Attributes:
        archives: The archive that the files come in, and its MD5, as SpikingJelly has it.

    Raises:
        FileNotFoundError: without the lists, or a file that they name.
        ValueError: for a file of labels that is none.

    Example:
        >>> import pathlib, tempfile
        >>> from bitspike import events
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (root / "trials_to_test.txt").write_text("user24_led.aedat\n")
        >>> labels = "class,startTime_usec,endTime_usec\n1,0,100\n9,100,200\n"
        >>> _ = (root / "user24_led_labels.csv").write_text(labels)
        >>> columns = [5, 99, 100], [1, 2, 3], [4, 5, 6]
        >>> events.write(columns, "aedat3.1", root / "user24_led.aedat", sensor_size=(128, 128))
        >>> gestures = events.datasets.DVSGesture(root, train=False)
        >>> [(recording.t.tolist(), label) for recording, label in gestures]
        [([5, 99], 0), ([100], 8)]
    """

    sensor_size: ClassVar[tuple[int, int, int]] = (128, 128, 2)
    archives: ClassVar[dict[str, str]] = {"DvsGesture.tar.gz": "8a5c71fb11e24e5ca5b11866ca6c00a1"}
    classes: ClassVar[tuple[str, ...]] = (
        "hand clapping",
        "right hand wave",
        "left hand wave",
        "right arm clockwise",
        "right arm counter-clockwise",
        "left arm clockwise",
        "left arm counter-clockwise",
        "arm roll",
        "air drums",
        "air guitar",
        "other",
    )

    def __init__(
        self,
        root: Folder,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        self.transform = transform
        self.target_transform = target_transform
        folder = Path(root)
        names = folder / f"trials_to_{'train' if train else 'test'}.txt"
        if not names.is_file():
            raise missing("DVS-Gesture", [names.name], folder, self.archives)
        files = [line.strip() for line in names.read_text().splitlines() if line.strip()]
        self.trials = [trial for name in files for trial in self._trials(folder, name)]

    def _trials(self, folder: Path, name: str) -> list[Trial]:
        """The gestures of a file."""
        path = folder / name
        labels = path.with_name(f"{path.stem}_labels.csv")
        for file in (path, labels):
            # The list names files of this folder, and of no other.
            if file.parent != folder or not file.is_file():
                raise missing("DVS-Gesture", [file.name], folder, self.archives)
        with labels.open(newline="") as lines:
            rows = [row for row in csv.reader(lines) if row][1:]
        try:
            trials = [Trial(path, label - 1, *times) for label, *times in map(_numbers, rows)]
        except (TypeError, ValueError) as error:
            raise ValueError(f"{labels} must have rows of class, start and end") from error
        for trial in trials:
            if not 0 <= trial.label < len(self.classes):
                raise ValueError(f"{labels} has class {trial.label + 1}, outside 1..11")
        return trials

    def __len__(self) -> int:
        """How many gestures there are."""
        return len(self.trials)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """A gesture and its class, from 0, each transformed."""
        trial = self.trials[index]
        recording = between(trial.path, trial.start, trial.end)
        return transformed(recording, trial.label, self.transform, self.target_transform)


def _numbers(row: list[str]) -> list[int]:
    return [int(field) for field in row]


def between(path: Path, start: int, end: int) -> Recording:
    """The events of a file from one time to another, keeping no others."""
    parts = []
    for part in chunks(path, "aedat3.1"):
        is_inside = (part.t >= start) & (part.t < end)
        parts.append(part.with_columns(Columns(*(x[is_inside] for x in part.columns))))
    return Recording.joined(parts)
