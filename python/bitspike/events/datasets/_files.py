"""A data set whose items are files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch.utils.data import Dataset

from ..columns import Recording
from ..files import read

Transform = Callable[[Any], Any]
Folder = str | os.PathLike[str]


class Item(NamedTuple):
    """A file and its class."""

    path: Path
    label: int


class EventFiles(Dataset[tuple[Any, int]]):
    """Recordings, one a file, with labels.

    Args:
        items: Paths and labels.
        transform: What becomes of a recording, `ToPacked` for example.
        target_transform: What becomes of a label.
        options: Further arguments of `bitspike.events.read`.

    Example:
        >>> import tempfile
        >>> from bitspike import events
        >>> path = tempfile.mkdtemp() + "/two.dat"
        >>> events.write(([3, 8], [0, 1], [0, 0]), "dat", path)
        >>> data = events.datasets.EventFiles([(path, 7)])
        >>> recording, label = data[0]
        >>> len(data), recording.t, label
        (1, tensor([3, 8]), 7)
    """

    def __init__(
        self,
        items: Sequence[tuple[Folder, int]],
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        **options: Any,
    ) -> None:
        self.items = [Item(Path(path), label) for path, label in items]
        self.transform = transform
        self.target_transform = target_transform
        self._options = options

    def __len__(self) -> int:
        """How many recordings there are."""
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """A recording and its label, each transformed."""
        path, label = self.items[index]
        recording = read(path, **self._options)
        return transformed(recording, label, self.transform, self.target_transform)


def transformed(
    recording: Recording, label: int, transform: Transform | None, of_target: Transform | None
) -> tuple[Any, Any]:
    """An item as its data set returns it."""
    return (
        recording if transform is None else transform(recording),
        label if of_target is None else of_target(label),
    )


def by_class(root: Path, classes: Mapping[str, int], suffix: str) -> list[Item]:
    """The files of a folder for each class, sorted."""
    folders = ((root / name, label) for name, label in classes.items())
    return [
        Item(path, label) for folder, label in folders for path in sorted(folder.glob(f"*{suffix}"))
    ]


def missing(
    what: str, files: Sequence[str], root: Path, archives: Mapping[str, str]
) -> FileNotFoundError:
    """The error that says which files were expected, and from which archives they come."""
    checked = ", ".join(f"{name} (MD5 {digest})" for name, digest in archives.items())
    whence = f"; they come in {checked}" if checked else ""
    return FileNotFoundError(f"{what} expects {' and '.join(files)} in {root}{whence}")
