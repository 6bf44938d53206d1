"""N-MNIST."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from ._files import EventFiles, Folder, Transform, by_class, missing


class NMNIST(EventFiles):
    """N-MNIST: digits on a screen, seen by a camera that moves (Orchard et al., 2015).

    A recording is 34 × 34 pixels and some 0.3 s long; there are 60,000 to train with and 10,000 to
    test.

    Args:
        root: The folder with ``Train`` and ``Test``, which have folders ``0`` to ``9`` of files
            ``.bin``.
        train: Which of the two.
        transform: What becomes of a recording, `ToPacked` for example.
        target_transform: What becomes of a label.

    Attributes:
        archives: The archives that the files come in, and their MD5, as tonic has them.

    Raises:
        FileNotFoundError: without files, with those that are expected.

    Example:
        >>> import pathlib, tempfile
        >>> from bitspike import events
        >>> root = pathlib.Path(tempfile.mkdtemp())
        >>> (root / "Test" / "7").mkdir(parents=True)
        >>> events.write(([3, 900], [5, 6], [7, 8]), "nmnist", root / "Test" / "7" / "00001.bin")
        >>> transform = events.ToPacked(sensor_size=(34, 34, 2), n_time_bins=10)
        >>> spikes, label = events.datasets.NMNIST(root, train=False, transform=transform)[0]
        >>> spikes.shape, label
        (torch.Size([10, 2, 34, 34]), 7)
    """

    sensor_size: ClassVar[tuple[int, int, int]] = (34, 34, 2)
    archives: ClassVar[dict[str, str]] = {
        "Train.zip": "20959b8e626244a1b502305a9e6e2031",
        "Test.zip": "69ca8762b2fe404d9b9bad1103e97832",
    }

    def __init__(
        self,
        root: Folder,
        train: bool = True,
        transform: Transform | None = None,
        target_transform: Transform | None = None,
    ) -> None:
        part = "Train" if train else "Test"
        items = by_class(Path(root) / part, {str(label): label for label in range(10)}, ".bin")
        if not items:
            raise missing(
                "N-MNIST", [f"{part}/0/*.bin", f"{part}/9/*.bin"], Path(root), self.archives
            )
        super().__init__(items, transform, target_transform, format="nmnist")
