"""CIFAR10-DVS."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ._files import EventFiles, Folder, Transform, by_class, missing


class CIFAR10DVS(EventFiles):
    """CIFAR10-DVS: images on a screen that move, seen by a DVS128 (Li et al., 2017).

    A recording is 128 × 128 pixels and some 1.3 s long; there are 1,000 of each class, and no split
    of their own: ``torch.utils.data.Subset`` makes one.

    Args:
        root: The folder with a folder for each class, ``airplane`` to ``truck``, of files
            ``.aedat`` (AEDAT 2) or ``.aedat4``.
        transform: What becomes of a recording, `ToPacked` for example.
        target_transform: What becomes of a label.
        convention: What the bits of an address say in AEDAT 2: see `bitspike.events.read`.

    Raises:
        FileNotFoundError: without files, with those that are expected.

    Example:
        >>> import pathlib, tempfile
        >>> from bitspike import events
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> (root / "cat").mkdir()
        >>> events.write(([3, 900], [5, 6], [7, 8]), "aedat2", root / "cat" / "cifar10_cat_0.aedat")
        >>> recording, label = events.datasets.CIFAR10DVS(root)[0]
        >>> recording.size, label
        ((128, 128), 3)
    """

    sensor_size: ClassVar[tuple[int, int, int]] = (128, 128, 2)
    classes: ClassVar[tuple[str, ...]] = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )

    def __init__(
        self,
        root: Folder,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
        *,
        convention: str = "address",
    ) -> None:
        labels = {name: label for label, name in enumerate(self.classes)}
        items = by_class(Path(root), labels, ".aedat*")
        if not items:
            files = ["airplane/*.aedat", "truck/*.aedat (or .aedat4)"]
            raise missing("CIFAR10-DVS", files, Path(root), {})
        super().__init__(items, transform, target_transform, convention=convention)
