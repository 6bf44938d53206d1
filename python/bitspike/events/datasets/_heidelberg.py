"""The Heidelberg data sets of spoken words: SHD and SSC."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch.utils.data import Dataset

from bitspike.arguments import expect_choice
from bitspike.ops.events import Report

from ..columns import Recording
from ._files import Folder, Transform, missing, transformed

CHANNELS = 700


class _Heidelberg(Dataset[tuple[Any, int]]):
    """Spike trains in one HDF5 file, which is read item by item."""

    sensor_size: ClassVar[tuple[int, int, int]] = (CHANNELS, 1, 1)
    archives: ClassVar[dict[str, str]]

    def __init__(
        self,
        root: Folder,
        name: str,
        transform: Transform | None,
        target_transform: Transform | None,
    ) -> None:
        self.transform = transform
        self.target_transform = target_transform
        self.path = Path(root) / name
        if not self.path.is_file():
            archives = {f"{name}.zip": self.archives[f"{name}.zip"]}
            raise missing(type(self).__name__, [name], Path(root), archives)
        self._file: Any = None
        self._length = len(self._opened()["labels"])

    def _opened(self) -> Any:
        """The file, opened once in each process."""
        if self._file is None:
            try:
                import h5py
            except ImportError as error:
                what = type(self).__name__
                raise ImportError(f"{what} is in HDF5: pip install 'bitspike[events]'") from error
            self._file = h5py.File(self.path, "r")
        return self._file

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}  # a worker opens its own

    def __len__(self) -> int:
        """How many recordings there are."""
        return self._length

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """A recording and its label, each transformed.

        Spikes are events of 700 pixels in a row, in the order of the file.
        """
        if not -self._length <= index < self._length:
            raise IndexError(f"item {index} of {self._length}")
        file = self._opened()
        index %= self._length
        seconds = torch.from_numpy(file["spikes/times"][index].astype("float64"))
        units = torch.from_numpy(file["spikes/units"][index].astype("int64"))
        if seconds.shape != units.shape or not bool(((units >= 0) & (units < CHANNELS)).all()):
            raise ValueError(f"{self.path}: item {index} must have a unit below 700 for each time")
        if not bool(seconds.isfinite().all()):
            raise ValueError(f"{self.path}: a time of item {index} is not finite")
        recording = Recording(
            t=(seconds * 1e6).round().long(),
            x=units.to(torch.int16),
            y=torch.zeros(len(units), dtype=torch.int16),
            p=torch.ones(len(units), dtype=torch.bool),
            format=type(self).__name__.lower(),
            size=(CHANNELS, 1),
            start=None,
            report=Report(len(units), 0, 0, 0),
        )
        label = int(file["labels"][index])
        return transformed(recording, label, self.transform, self.target_transform)


class SHD(_Heidelberg):
    """Spiking Heidelberg Digits: spoken digits through a model of the ear (Cramer et al., 2020).

    700 channels, 20 classes, some 1 s a recording; 8,156 to train with and 2,264 to test. Times are
    half floats of seconds: near 1 s they have steps of 1 ms, so that shorter steps of time are
    finer than the data.

    Args:
        root: The folder with ``shd_train.h5`` and ``shd_test.h5``.
        train: Which of the two.
        transform: What becomes of a recording, `ToPacked` for example.
        target_transform: What becomes of a label.

    Attributes:
        archives: The archives that the files come in, and their MD5, as tonic has them.

    Raises:
        FileNotFoundError: without the file, with its archive.
        ImportError: without h5py.

    Example:
        >>> import h5py, tempfile
        >>> from bitspike import events
        >>> root = tempfile.mkdtemp()
        >>> with h5py.File(root + "/shd_test.h5", "w") as file:
        ...     for name, dtype in [("times", "float16"), ("units", "uint16")]:
        ...         file.create_dataset(f"spikes/{name}", (1,), h5py.vlen_dtype(dtype))
        ...         file[f"spikes/{name}"][0] = [0.25, 0.5] if name == "times" else [3, 699]
        ...     file["labels"] = [5]
        <HDF5 dataset "times": shape (1,), type "|O">
        <HDF5 dataset "units": shape (1,), type "|O">
        >>> windows = {"time_window": 1000, "start": 0, "end": 1_000_000}
        >>> transform = events.ToPacked(sensor_size=(700, 1, 1), **windows)
        >>> spikes, label = events.datasets.SHD(root, train=False, transform=transform)[0]
        >>> spikes.shape, spikes.nonzero().tolist(), label
        (torch.Size([1000, 1, 1, 700]), [[250, 0, 0, 3], [500, 0, 0, 699]], 5)
    """

    archives: ClassVar[dict[str, str]] = {
        "shd_train.h5.zip": "f3252aeb598ac776c1b526422d90eecb",
        "shd_test.h5.zip": "1503a5064faa34311c398fb0a1ed0a6f",
    }

    def __init__(
        self,
        root: Folder,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        name = f"shd_{'train' if train else 'test'}.h5"
        super().__init__(root, name, transform, target_transform)


class SSC(_Heidelberg):
    """Spiking Speech Commands: spoken words through a model of the ear (Cramer et al., 2020).

    700 channels, 35 classes; as `SHD` else.

    Args:
        root: The folder with ``ssc_train.h5``, ``ssc_valid.h5`` and ``ssc_test.h5``.
        split: Which of the three.
        transform: What becomes of a recording, `ToPacked` for example.
        target_transform: What becomes of a label.

    Attributes:
        archives: The archives that the files come in, and their MD5, as tonic has them.

    Raises:
        FileNotFoundError: without the file, with its archive.
        ImportError: without h5py.
        ValueError: for another split.

    Example:
        >>> import tempfile
        >>> from bitspike import events
        >>> events.datasets.SSC(tempfile.mkdtemp(), "valid")
        Traceback (most recent call last):
            ...
        FileNotFoundError: SSC expects ssc_valid.h5 in ...; they come in ssc_valid.h5.zip (MD5 ...)
    """

    archives: ClassVar[dict[str, str]] = {
        "ssc_train.h5.zip": "d102be95e7144fcc0553d1f45ba94170",
        "ssc_valid.h5.zip": "b4eee3516a4a90dd0c71a6ac23a8ae43",
        "ssc_test.h5.zip": "a35ff1e9cffdd02a20eb850c17c37748",
    }

    def __init__(
        self,
        root: Folder,
        split: Literal["train", "valid", "test"] = "train",
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        expect_choice("split", split, ("train", "valid", "test"))
        super().__init__(root, f"ssc_{split}.h5", transform, target_transform)
